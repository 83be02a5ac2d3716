import { names } from "./telling.ts";

/** Names that decide which program is found, or how a shell behaves: an environment's variables never set them. */
const DROPPED: ReadonlySet<string> = new Set([
  "PATH",
  "HOME",
  "PS1",
  "PS2",
  "PS4",
  "PWD",
  "OLDPWD",
  "SHELL",
  "USER",
  "LOGNAME",
  "IFS",
  "ENV",
  "BASH_ENV",
  "SHELLOPTS",
  "BASHOPTS",
  "PROMPT_COMMAND",
  "SHLVL",
  "CDPATH",
  "GLOBIGNORE",
  "TERM",
  "TMPDIR",
]);

/** Names that load code into a program: passed on, since somebody may mean it, and said. */
const LOADS_CODE =
  /^(LD_|DYLD_)|^(NODE_OPTIONS|NODE_PATH|PYTHONPATH|PYTHONSTARTUP|PERL5LIB|PERL5OPT|RUBYOPT|RUBYLIB|JAVA_TOOL_OPTIONS|GIT_SSH_COMMAND)$/;

interface How {
  /** What is set here already wins. */
  readonly preserve: boolean;
  readonly warn: (text: string) => void;
}

/** What a program gets: all that is set here, and the environment's variables over it. */
export function childEnvironment(
  fetched: Readonly<Record<string, string>>,
  inherited: Readonly<Record<string, string | undefined>>,
  { preserve, warn }: How,
): Record<string, string | undefined> {
  const all = Object.keys(fetched);
  const dropped = all.filter((name) => DROPPED.has(name.toUpperCase()));
  const loading = all.filter((name) => LOADS_CODE.test(name.toUpperCase()));
  // No system call takes a text with a NUL in it, and what would be passed on is less than what is meant.
  const cut = all.filter((name) => fetched[name]?.includes("\0"));
  // Whoever may set a var would choose where the token of whoever runs the program is sent.
  const tokenIsOwn =
    inherited["ENVM_TOKEN"] !== undefined && (preserve || cut.includes("ENVM_TOKEN") || fetched["ENVM_TOKEN"] === undefined);
  const leading = all.filter((name) => name === "ENVM_URL" && tokenIsOwn && !(preserve && inherited[name] !== undefined));
  if (leading.length > 0) warn("Not passed on, since your ENVM_TOKEN would be sent there: ENVM_URL.");
  if (dropped.length > 0) warn(`Not passed on, since they decide what runs: ${names(dropped)}.`);
  if (loading.length > 0) warn(`These load code into the program: ${names(loading)}.`);
  if (cut.length > 0) warn(`Not passed on, since their values hold a NUL character: ${names(cut)}.`);
  const left = new Set([...dropped, ...cut, ...leading]);
  const passed = all.filter((name) => !left.has(name) && !(preserve && inherited[name] !== undefined));
  return { ...inherited, ...Object.fromEntries(passed.map((name) => [name, fetched[name]])) };
}
