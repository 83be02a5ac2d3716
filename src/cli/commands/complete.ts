import type { Command } from "commander";
import { BOUNDS } from "../bounds.ts";
import { Context, listed } from "../context.ts";
import { FORMATS } from "../formats.ts";

interface Candidate {
  readonly word: string;
  readonly about: string;
}

/**
 * What may stand where the last word stands. Asks the engine for names, within a bound, and says nothing where it cannot.
 * `words` are those after `envm`, the last one unfinished.
 */
export async function completed(program: Command, words: readonly string[]): Promise<readonly Candidate[]> {
  const { joined, last, prefix } = rejoined(words);
  const { command, before, optionWaiting, options } = walked(program, joined);
  const candidates = await candidatesFor({ program, command, before, optionWaiting, options, last });
  return candidates.filter(({ word }) => word.startsWith(last)).map((candidate) => ({ ...candidate, word: prefix + candidate.word }));
}

/** Bash takes `--env=sta` for three words, of which the last is completed alone. */
function rejoined(words: readonly string[]): { joined: readonly string[]; last: string; prefix: string } {
  const all = [...words];
  const last = all.pop() ?? "";
  const [option, equals] = all.slice(-2);
  if (equals === "=" && option?.startsWith("--")) return { joined: [...all.slice(0, -2), option], last, prefix: "" };
  if (last === "=" && all.at(-1)?.startsWith("--")) return { joined: all, last: "", prefix: "" };
  const [, name, value] = /^(--[\w-]+)=(.*)$/.exec(last) ?? [];
  return name === undefined ? { joined: all, last, prefix: "" } : { joined: [...all, name], last: value ?? "", prefix: `${name}=` };
}

interface Walked {
  readonly command: Command;
  /** Arguments of the command before the last word. */
  readonly before: number;
  /** The option whose value the last word is. */
  readonly optionWaiting: string | null;
  readonly options: Readonly<Record<string, string>>;
}

function walked(program: Command, words: readonly string[]): Walked {
  let command = program;
  let before = 0;
  let waiting: string | null = null;
  const options: Record<string, string> = {};
  for (const word of words) {
    if (waiting !== null) {
      options[waiting] = word;
      waiting = null;
    } else if (word.startsWith("-") && word !== "-") {
      const option = command.options.find(({ short, long }) => short === word || long === word);
      waiting = option !== undefined && (option.required || option.optional) ? option.attributeName() : null;
    } else {
      const member = before === 0 ? command.commands.find((each) => each.name() === word || each.aliases().includes(word)) : undefined;
      if (member === undefined) before++;
      else command = member;
    }
  }
  return { command, before, optionWaiting: waiting, options };
}

const VALUES: Readonly<Record<string, readonly string[]>> = {
  format: FORMATS,
  type: ["development", "staging", "production", "preview", "custom"],
  role: ["client", "reader", "editor", "promoter", "engine", "admin"],
  preset: ["solo", "team", "regulated"],
  ttl: ["24h", "72h", "7d"],
};
const ENVIRONMENT_OPTIONS: readonly string[] = ["env", "from", "envs"];
const ENVIRONMENT_ARGUMENTS: readonly string[] = ["env", "source", "target", "left", "right"];

async function candidatesFor(at: Walked & { readonly program: Command; readonly last: string }): Promise<readonly Candidate[]> {
  const { command, before, optionWaiting, last } = at;
  if (optionWaiting !== null) {
    if (ENVIRONMENT_OPTIONS.includes(optionWaiting)) return environments(at.options);
    if (optionWaiting === "project") return projects(at.options);
    return (Object.hasOwn(VALUES, optionWaiting) ? (VALUES[optionWaiting] ?? []) : []).map((word) => ({ word, about: "" }));
  }
  if (last.startsWith("-")) {
    return command.options
      .filter(({ hidden }) => !hidden)
      .map(({ long, short, description }) => ({ word: long ?? short ?? "", about: description }));
  }
  if (command.commands.length > 0) {
    return command.commands.filter((each) => !hiddenCommand(each)).map((each) => ({ word: each.name(), about: each.summary() }));
  }
  const argument = command.registeredArguments[Math.min(before, command.registeredArguments.length - 1)];
  if (argument === undefined || (before >= command.registeredArguments.length && !argument.variadic)) return [];
  const name = argument.name();
  if (name === "shell") return ["bash", "zsh", "fish"].map((word) => ({ word, about: "" }));
  if (ENVIRONMENT_ARGUMENTS.includes(name)) return environments(at.options);
  return keys(command, name, at.options);
}

function hiddenCommand(command: Command): boolean {
  return command.name().startsWith("__");
}

/** Names of vars, secrets and flags, where the command takes some. */
async function keys(command: Command, argument: string, options: Walked["options"]): Promise<readonly Candidate[]> {
  const kind = command.parent?.name();
  if (!/^name/.test(argument) || (kind !== "var" && kind !== "secret" && kind !== "flag")) return [];
  return asked(options, async (context) => {
    const config = await context.client.getConfig({ project: context.project, env: await context.env() }, ASKING);
    const found = { var: config.vars, secret: config.secrets, flag: config.flags }[kind];
    const end = command.name() === "set" && kind !== "secret" ? "=" : "";
    return Object.keys(found).map((word) => ({ word: word + end, about: kind }));
  });
}

function environments(options: Walked["options"]): Promise<readonly Candidate[]> {
  return asked(options, async (context) => {
    const list: typeof context.client.listEnvironments = (request) => context.client.listEnvironments(request, ASKING);
    const { items } = await listed(list, { project: context.project }, BOUNDS.page);
    return items.map(({ env, version, type }) => ({ word: env, about: `${type} ${version}` }));
  });
}

function projects(options: Walked["options"]): Promise<readonly Candidate[]> {
  return asked(options, async (context) => {
    const list: typeof context.client.listProjects = (request) => context.client.listProjects(request, ASKING);
    const { items } = await listed(list, {}, BOUNDS.page);
    return items.map(({ project_id }) => ({ word: project_id, about: "" }));
  });
}

const ASKING = { timeoutMs: BOUNDS.completionMs, retries: 0 };

async function asked(options: Walked["options"], ask: (context: Context) => Promise<readonly Candidate[]>): Promise<readonly Candidate[]> {
  try {
    return await ask(new Context({ ...options, interactive: false, silent: true }));
  } catch {
    return [];
  }
}
