import { Command, type ErrorOptions, Option } from "commander";
import { EnvmError } from "../sdk/errors.ts";
import { type CommonOptions, Context } from "./context.ts";
import { EXIT, type ExitCode, exitCodeOf } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import { fixFor } from "./fixes.ts";
import { Interrupted } from "./prompts.ts";
import { errorLines } from "./telling.ts";

/** Examples of each command, which its help shows and a test runs. */
const examples = new WeakMap<Command, readonly string[]>();

export function examplesOf(command: Command): readonly string[] {
  return examples.get(command) ?? [];
}

interface CommandFacts {
  readonly summary: string;
  /** More than the summary, where that is needed. */
  readonly about?: string;
  readonly aliases?: readonly string[];
  readonly examples: readonly string[];
}

/** A command that does something. */
export function leaf(name: string, { summary, about, aliases = [], examples: shown }: CommandFacts): Command {
  const command = new Command(name)
    .summary(summary)
    .description(about === undefined ? summary : `${summary}. ${about}`)
    .aliases(aliases);
  return withExamples(command, shown);
}

/** Shows them below the command's help. */
export function withExamples(command: Command, shown: readonly string[]): Command {
  examples.set(command, shown);
  return command.addHelpText("after", `\nExamples:\n${shown.map((example) => `  $ ${example}`).join("\n")}`);
}

/** For an option that may be given several times. */
export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];
/** For one whose value is a list, separated by commas. */
export const collectNames = (value: string, before: readonly string[] = []): string[] => [...before, ...value.split(",").filter(Boolean)];

/** What is typed for another command, and stands nearer to a third in its letters. */
type Meant = Readonly<Record<string, readonly string[]>>;

class Group extends Command {
  readonly #meant: Meant;

  constructor(name: string, meant: Meant) {
    super(name);
    this.#meant = meant;
  }

  override error(message: string, options?: ErrorOptions): never {
    const [typed = ""] = this.args;
    const meant = options?.code === "commander.unknownCommand" && Object.hasOwn(this.#meant, typed) ? (this.#meant[typed] ?? []) : [];
    if (meant.length === 0) return super.error(message, options);
    return super.error(`error: unknown command '${typed}'\n(Did you mean ${meant.join(" or ")}?)`, options);
  }
}

/** A command that gathers others. */
export function group(
  name: string,
  summary: string,
  aliases: readonly string[],
  members: readonly Command[],
  { meant = {} }: { readonly meant?: Meant } = {},
): Command {
  const command = new Group(name, meant).summary(summary).description(summary).aliases(aliases);
  for (const member of members) command.addCommand(member);
  return withExamples(
    command,
    members.flatMap((member) => examplesOf(member).slice(0, 1)),
  );
}

/** The options that every command takes: before it and after it. */
export function withCommonOptions(command: Command): Command {
  if (command.commands.length > 0) for (const member of command.commands) withCommonOptions(member);
  return command
    .optionsGroup("Common options:")
    .option("-p, --project <project>", "the project (ENVM_PROJECT)")
    .option("-e, --env <env>", "the environment (ENVM_ENV)")
    .option("--url <url>", "where the engine is (ENVM_URL)")
    .option("--token <token>", "the token (ENVM_TOKEN); - reads it from standard input, @FILE from a file")
    .option("--json", "print the engine's own reply")
    .option("--plain", "print bare values, without headings and colours")
    .option("--silent", "print nothing but what was asked for, and errors")
    .option("-y, --yes", "go on without being asked")
    .addOption(new Option("--no-interactive", "never ask"))
    .helpOption("-h, --help", "show this");
}

/** What was typed, wherever it stands: the innermost command's word counts. */
function typedOptions(command: Command): Record<string, unknown> {
  const chain: Command[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) chain.unshift(at);
  const defaults = Object.fromEntries(chain.flatMap((each) => Object.entries(each.opts())));
  const typed = chain.flatMap((each) => Object.entries(each.opts()).filter(([name]) => each.getOptionValueSource(name) === "cli"));
  return { ...defaults, ...Object.fromEntries(typed) };
}

/** A number that it answers is how the process ends. */
type Action<Options> = (context: Context, options: Options & CommonOptions, ...args: string[]) => Promise<unknown>;

/** Makes `action` what the command does. */
export function does<Options = CommonOptions>(command: Command, action: Action<Options>): Command {
  return command.action(async (...given: unknown[]) => {
    // Commander gives the arguments, the options and the command.
    const args = given.slice(0, -2).flat() as string[];
    const options = typedOptions(command) as Options & CommonOptions;
    process.exitCode = await carriedOut(options, (context) => action(context, options, ...args));
  });
}

async function carriedOut(options: CommonOptions, work: (context: Context) => Promise<unknown>): Promise<number> {
  const context = new Context(options);
  let code: number;
  try {
    await context.readToken();
    const answer = await work(context);
    code = typeof answer === "number" ? answer : EXIT.ok;
  } catch (error) {
    code = told(context, error);
  }
  try {
    await context.output.end();
  } catch (error) {
    return told(context, error);
  }
  return code;
}

/** Says what went wrong; answers how the process ends. */
function told(context: Context, error: unknown): number {
  if (error instanceof Interrupted) {
    context.output.note(error.message);
    return error.status;
  }
  const { exit, body, lines } = described(error);
  if (context.output.mode === "json") context.output.json(body);
  const [reason = "", fix = "", ...more] = lines;
  context.output.error(reason, fix);
  for (const line of more) context.output.note(line);
  return exit;
}

/** An error as programs and people are told of it, and how the process ends with it. */
export function described(error: unknown): { exit: ExitCode; body: unknown; lines: readonly string[] } {
  if (error instanceof EnvmError) {
    const { code, reason, details, requestId } = error;
    const fix = fixFor(code, error.fix, details);
    const body = { status: "error", code, reason, fix_suggestion: fix, details, request_id: requestId };
    return { exit: exitCodeOf(code, error.status), body, lines: [reason, fix, ...errorLines(code, details)] };
  }
  if (error instanceof Failure) {
    const { exit, code, message: reason, fix } = error;
    return { exit, body: { status: "error", code, reason, fix_suggestion: fix, details: {}, request_id: null }, lines: [reason, fix] };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const reason = `This is a fault of envm itself: ${text}`;
  return {
    exit: EXIT.failed,
    body: { status: "error", code: "fault", reason, fix_suggestion: "", details: {}, request_id: null },
    lines: [reason, "Report it, please."],
  };
}
