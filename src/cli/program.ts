import { Command } from "commander";
import { packageVersion } from "../package.ts";
import { withCommonOptions, withExamples } from "./command.ts";

interface Verb {
  readonly names: readonly string[];
  readonly load: () => Promise<Command>;
}

/** Every command by its names. Only the one that is typed is loaded. */
const VERBS: readonly Verb[] = [
  { names: ["login"], load: async () => (await import("./commands/login.ts")).login() },
  { names: ["logout"], load: async () => (await import("./commands/login.ts")).logout() },
  { names: ["whoami"], load: async () => (await import("./commands/whoami.ts")).whoami() },
  { names: ["init"], load: async () => (await import("./commands/init.ts")).init() },
  { names: ["env", "envs", "environment", "environments"], load: async () => (await import("./commands/env.ts")).env() },
  { names: ["var", "vars"], load: async () => (await import("./commands/var.ts")).vars() },
  { names: ["secret", "secrets"], load: async () => (await import("./commands/secret.ts")).secret() },
  { names: ["flag", "flags"], load: async () => (await import("./commands/flag.ts")).flag() },
  { names: ["state"], load: async () => (await import("./commands/state.ts")).state() },
  { names: ["import"], load: async () => (await import("./commands/import.ts")).importCommand() },
  { names: ["export", "pull", "download"], load: async () => (await import("./commands/export.ts")).exportCommand() },
  { names: ["run"], load: async () => (await import("./commands/run.ts")).run() },
  { names: ["diff", "compare"], load: async () => (await import("./commands/diff.ts")).diff() },
  { names: ["promote"], load: async () => (await import("./commands/promote.ts")).promote() },
  { names: ["approve"], load: async () => (await import("./commands/approve.ts")).approve() },
  { names: ["reject"], load: async () => (await import("./commands/approve.ts")).reject() },
  { names: ["rollback"], load: async () => (await import("./commands/rollback.ts")).rollback() },
  { names: ["hold"], load: async () => (await import("./commands/hold.ts")).hold() },
  { names: ["resume"], load: async () => (await import("./commands/hold.ts")).resume() },
  { names: ["versions"], load: async () => (await import("./commands/versions.ts")).versions() },
  { names: ["history", "log"], load: async () => (await import("./commands/versions.ts")).history() },
  { names: ["preview", "previews"], load: async () => (await import("./commands/preview.ts")).preview() },
  { names: ["policy"], load: async () => (await import("./commands/policy.ts")).policy() },
  { names: ["audit"], load: async () => (await import("./commands/audit.ts")).audit() },
  { names: ["token", "tokens"], load: async () => (await import("./commands/token.ts")).token() },
  { names: ["git"], load: async () => (await import("./commands/git.ts")).git() },
  { names: ["doctor"], load: async () => (await import("./commands/doctor.ts")).doctor() },
  { names: ["serve"], load: async () => (await import("./commands/serve.ts")).serve() },
  { names: ["mcp"], load: async () => (await import("./commands/mcp.ts")).mcp() },
  { names: ["completion"], load: async () => (await import("./commands/completion.ts")).completion() },
];

const FIRST_STEPS: readonly string[] = [
  "envm login",
  "envm init -p pf-777 -e development",
  "envm run -e staging -- node app.js",
  "envm promote staging production --dry-run",
];

/** `envm` with these of its commands; with all where none is named. */
export async function createProgram(only: string | null = null): Promise<Command> {
  const program = new Command("envm")
    .description("Environments, versions, promotion, rollback, config, flags and secrets, from the command line")
    .version(packageVersion(), "-V, --version", "show the version")
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .helpCommand("help [command]", "show a command's help");
  const chosen = VERBS.filter(({ names }) => only !== null && names.includes(only));
  for (const command of await Promise.all((chosen.length > 0 ? chosen : VERBS).map(({ load }) => load()))) program.addCommand(command);
  withCommonOptions(withExamples(program, FIRST_STEPS));
  for (const command of everyCommand(program)) {
    command.exitOverride().showHelpAfterError("(--help shows what it takes)").configureHelp({ subcommandTerm });
  }
  return program;
}

/** A command and its arguments: that it takes options too goes without saying. */
function subcommandTerm(command: Command): string {
  const args = command.registeredArguments.map((argument) => {
    const name = argument.name() + (argument.variadic ? "..." : "");
    return argument.required ? ` <${name}>` : ` [${name}]`;
  });
  return [command.name(), ...command.aliases().slice(0, 1)].join("|") + args.join("");
}

/** The program and all below it. */
export function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** Options before the command that are followed by a value. */
const WITH_VALUE: readonly string[] = ["-p", "--project", "-e", "--env", "--url", "--token"];

/** The command that is typed, as far as that can be seen without loading any. */
export function typedVerb(words: readonly string[]): string | null {
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (WITH_VALUE.includes(word)) index++;
    else if (!word.startsWith("-")) return word;
  }
  return null;
}
