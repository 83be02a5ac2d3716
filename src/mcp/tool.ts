import type * as z from "zod";
import { ShortNames } from "../cli/short-names.ts";
import { EnvmError, invalidCall } from "../sdk/errors.ts";
import type { Client, OperationId } from "../sdk/index.ts";
import { names } from "./words.ts";

/** What a tool says: in words for an assistant, and as the engine's own reply for a program. */
export interface Answer {
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * One tool. It asks the engine's routes and nothing else, with the token of whoever uses it, so that it can do no more and no less than
 * that token may, by the same checks.
 */
export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: z.ZodObject;
  /** The routes that it asks: what they need, it needs. */
  readonly uses: readonly OperationId[];
  readonly effect: Effect;
  run(work: Work, given: unknown): Promise<Answer>;
}

/** `reads` changes nothing. `adds`: what is there stays as it is. `changes`: something is another than before. */
type Effect = "reads" | "adds" | "changes";

interface ToolSpec<Input extends z.ZodObject> extends Omit<Tool, "input" | "run"> {
  readonly input: Input;
  run(work: Work, given: z.output<Input>): Promise<Answer>;
}

/** Declares a tool: what it is given was checked by its own schema. */
export function tool<Input extends z.ZodObject>({ input, run, ...facts }: ToolSpec<Input>): Tool {
  return {
    ...facts,
    input,
    run: (work, given) => run(work, checked(input, given)),
  };
}

/** @throws EnvmError that names what is wrong, and shows no value */
function checked<Input extends z.ZodObject>(schema: Input, given: unknown): z.output<Input> {
  // Some assistants say `null` for what they leave out.
  const members = Object.entries((given ?? {}) as Readonly<Record<string, unknown>>).filter(([, value]) => value !== null);
  const result = schema.safeParse(Object.fromEntries(members));
  if (result.success) return result.data;
  const faults = result.error.issues
    .slice(0, FAULTS)
    .map(({ path, message }) => `${path.map(String).join(".") || "the arguments"}: ${message}`);
  throw invalidCall(
    `The arguments are not valid. ${faults.join("; ")}.`,
    `Correct them and call again. The arguments are: ${Object.keys(schema.shape).join(", ")}.`,
  );
}

/** Faults of one call that are told. */
const FAULTS = 10;

/** One call of a tool: the engine, as whoever calls may use it, and the names that they use. */
export class Work {
  readonly client: Client;
  readonly signal: AbortSignal | undefined;
  readonly #project: string | null;
  readonly #names = new Map<string, ShortNames>();

  constructor(client: Client, project: string | null, signal?: AbortSignal) {
    this.client = client;
    this.signal = signal;
    this.#project = project;
  }

  get options(): { readonly signal: AbortSignal | undefined } {
    return { signal: this.signal };
  }

  /** The project that is named, else the one that was set, else the only one there is. */
  async project(given: string | undefined): Promise<string> {
    const named = given ?? this.#project;
    if (named !== null) return named;
    const { items } = await this.client.listProjects({ limit: CHOICES }, this.options);
    const [only, another] = items;
    if (only !== undefined && another === undefined) return only.project_id;
    if (only === undefined) throw invalidCall("No project is named, and there is none that this token may see.", "Give project_id.");
    throw invalidCall(
      "No project is named, and there are several.",
      `Give project_id: ${names(items.map(({ project_id }) => project_id))}.`,
    );
  }

  /** `dev`, `stage` and `prod` stand for the usual names where no environment has that very one. */
  env(project: string, name: string): Promise<string> {
    return this.#shortNames(project).resolve(name);
  }

  /** A side of a comparison: `staging`, `prod@v2.9`. */
  side(project: string, side: string): Promise<string> {
    return this.#shortNames(project).resolveSide(side);
  }

  #shortNames(project: string): ShortNames {
    const known = this.#names.get(project) ?? new ShortNames((env) => this.#exists(project, env));
    this.#names.set(project, known);
    return known;
  }

  async #exists(project: string, env: string): Promise<boolean> {
    try {
      await this.client.getEnvironment({ project, env }, this.options);
      return true;
    } catch (error) {
      return !(error instanceof EnvmError && error.code === "environment_not_found");
    }
  }
}

/** Projects that are named where a choice is asked for. */
const CHOICES = 20;
