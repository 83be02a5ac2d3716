import { ErrorCode, type EvaluationContext, type Logger } from "@openfeature/core";
import { FeatureFlag } from "@openfeature/flagd-core";
import { isObject } from "../json.ts";
import { CONTENT } from "../limits/content.ts";
import type { Json, JsonObject } from "../ports.ts";
import type { Context } from "./context.ts";
import { type Definition, definitionFaults, definitionSteps, expanded, type Shared } from "./definition.ts";
import { BY_TARGETING_KEY, hashes, preparedRule, readsTime } from "./prepare.ts";
import { bytesOf, UTF8, utf8Bytes } from "./utf8.ts";

export type Reason = "STATIC" | "TARGETING_MATCH" | "SPLIT" | "DEFAULT" | "DISABLED" | "UNKNOWN";
export type EvaluationError = "FLAG_NOT_FOUND" | "PARSE_ERROR" | "INVALID_CONTEXT" | "TARGETING_KEY_MISSING" | "GENERAL";

/** What a flag is for a context. Without `value` the application's own default holds. */
export interface Evaluated {
  readonly key: string;
  readonly reason: Reason;
  readonly value?: Json;
  readonly variant?: string;
  readonly metadata?: JsonObject;
}

export interface NotEvaluated {
  readonly key: string;
  readonly errorCode: EvaluationError;
  readonly errorDetails: string;
}

export type Evaluation = Evaluated | NotEvaluated;

/** The flags of one environment, ready to be evaluated. */
export interface FlagSet {
  readonly keys: readonly string[];
  readonly metadata: JsonObject;
  /** Whether an evaluation may come out otherwise at another time, with the same context. */
  readonly readsTime: boolean;
  evaluate(key: string, context: Context): Evaluation;
  /** Every flag; one that fails does not keep the others from being evaluated. */
  evaluateAll(context: Context): readonly Evaluation[];
  /** The same as JSON: what a flag may answer is written once, and not for each context. */
  writeAll(context: Context): string;
}

/**
 * Makes flags ready to be evaluated as flagd evaluates them. A flag is prepared when it is first asked for, once. Rules are
 * interpreted: no code is made of what a user wrote, so that it runs under any content security policy.
 *
 * @param definitions for each key a flagd definition, or `true` or `false`
 * @example
 * compileFlags({ dark: true }).evaluate("dark", {}); // { key: "dark", reason: "STATIC", value: true, variant: "on" }
 */
export function compileFlags(definitions: JsonObject, shared: Shared = {}): FlagSet {
  return new Flags(definitions, shared);
}

class Flags implements FlagSet {
  readonly keys: readonly string[];
  readonly metadata: JsonObject;
  readonly #definitions: JsonObject;
  readonly #evaluators: JsonObject;
  readonly #ready = new Map<string, Flag>();
  readonly #room: Room;
  #all: readonly Flag[] | undefined;
  #readsTime: boolean | undefined;

  constructor(definitions: JsonObject, { evaluators = {}, metadata = {} }: Shared) {
    this.keys = Object.keys(definitions);
    this.metadata = metadata;
    this.#definitions = definitions;
    this.#evaluators = evaluators;
    this.#room = { left: this.keys.length * CONTENT.writtenAnswerLength };
  }

  get readsTime(): boolean {
    this.#readsTime ??= this.keys.some((key) => this.#flag(key)?.readsTime);
    return this.#readsTime;
  }

  evaluate(key: string, context: Context): Evaluation {
    const flag = this.#flag(key);
    if (flag === undefined) return { key, errorCode: ErrorCode.FLAG_NOT_FOUND, errorDetails: `There is no flag ${JSON.stringify(key)}.` };
    return contextError(key, context) ?? flag.answer(context).evaluation;
  }

  evaluateAll(context: Context): readonly Evaluation[] {
    return this.#answers(context).map(({ evaluation }) => evaluation);
  }

  writeAll(context: Context): string {
    return `[${this.#answers(context)
      .map(({ json }) => json)
      .join(",")}]`;
  }

  #answers(context: Context): readonly Answer[] {
    this.#all ??= this.#flags();
    return this.#all.map((flag) => {
      const error = contextError(flag.key, context);
      return error === null ? flag.answer(context) : new Answer(error, NO_ROOM);
    });
  }

  /** Those that come after so many steps that all together would take too long are not evaluated. */
  #flags(): readonly Flag[] {
    let steps = 0;
    return this.keys.flatMap((key) => {
      const flag = this.#flag(key);
      if (flag === undefined) return [];
      steps += flag.steps;
      return steps > ALL_STEPS ? constant(tooMuchAtOnce(key), this.#room) : flag;
    });
  }

  #flag(key: string): Flag | undefined {
    const ready = this.#ready.get(key);
    if (ready !== undefined) return ready;
    const definition = Object.hasOwn(this.#definitions, key) ? this.#definitions[key] : undefined;
    if (definition === undefined) return undefined;
    const flag = readyFlag(key, definition, { evaluators: this.#evaluators, metadata: this.metadata }, this.#room);
    this.#ready.set(key, flag);
    return flag;
  }
}

/** What the flags that an environment binds may take at most, so that a platform's defaults alone can come to more. */
const ALL_STEPS = CONTENT.environmentSteps + CONTENT.configEntries * CONTENT.simpleSteps;

interface Flag {
  readonly key: string;
  /** That it may take to evaluate it. */
  readonly steps: number;
  readonly readsTime: boolean;
  answer(context: Context): Answer;
}

/** For how many characters of answers in writing a set of flags has room: a flag may have many variants, and each answer all metadata. */
interface Room {
  left: number;
}

/** Of what is answered once. */
const NO_ROOM: Room = Object.freeze({ left: 0 });

/** What a flag answers, to whoever gets this answer. */
class Answer {
  readonly evaluation: Evaluation;
  readonly #room: Room;
  #json: string | undefined;

  constructor(evaluation: Evaluation, room: Room) {
    this.evaluation = Object.freeze(evaluation);
    this.#room = room;
  }

  /** Written once, where there is room to keep it. */
  get json(): string {
    if (this.#json !== undefined) return this.#json;
    const json = JSON.stringify(this.evaluation);
    if (json.length <= this.#room.left) {
      this.#room.left -= json.length;
      this.#json = json;
    }
    return json;
  }
}

function readyFlag(key: string, given: Json, { evaluators = {}, metadata = {} }: Shared, room: Room): Flag {
  const [fault] = definitionFaults(given, evaluators);
  const definition = expanded(given);
  if (fault !== undefined || !isDefinition(definition)) {
    const details = fault === undefined ? "it is no definition" : `${fault.path}: ${fault.message}`;
    const errorDetails = shortened(`The flag cannot be evaluated: ${details}.`);
    return constant({ key, errorCode: ErrorCode.PARSE_ERROR, errorDetails }, room);
  }
  const merged = { ...metadata, ...definition.metadata };
  const shown = Object.keys(merged).length === 0 ? {} : { metadata: merged };
  if (definition.state === "DISABLED") return constant({ key, reason: "DISABLED", ...shown }, room);
  const { targeting = {} } = definition;
  const rule = preparedRule(targeting, evaluators);
  const flag = new FeatureFlag(key, unhashed({ ...definition, targeting: rule }), SILENT, { disableDynamicCodeGeneration: true });
  if (Object.keys(targeting).length === 0) return constant(evaluation(key, flag.evaluate({}, SILENT), shown), room);
  return {
    key,
    steps: definitionSteps(definition, evaluators),
    readsTime: readsTime(rule),
    answer: answers(flag, shown, hashes(rule), room),
  };
}

/** A rule chooses one of a few variants, or leaves it to the default one: each of these answers is made once. */
function answers(flag: FeatureFlag, shown: Shown, isHashing: boolean, room: Room): (context: Context) => Answer {
  const { key } = flag;
  const made = new Map<string | undefined, Answer>();
  return (context) => {
    const resolution = resolutionOf(flag, isHashing ? hashable(key, context) : context);
    if (resolution.reason === "ERROR") return new Answer(evaluation(key, resolution, shown), NO_ROOM);
    const chosen = resolution.reason === "TARGETING_MATCH" ? resolution.variant : undefined;
    const known = made.get(chosen);
    if (known !== undefined) return known;
    const answer = new Answer(evaluation(key, resolution, shown), room);
    made.set(chosen, answer);
    return answer;
  };
}

type Resolution = ReturnType<FeatureFlag["evaluate"]>;
type Shown = Pick<Evaluated, "metadata">;

/** flagd-core fails where a rule answers an object of the context whose `toString` is no function. */
function resolutionOf(flag: FeatureFlag, context: Context): Resolution {
  try {
    return flag.evaluate(context as EvaluationContext, SILENT);
  } catch {
    return { reason: "ERROR", errorCode: ErrorCode.GENERAL, errorMessage: "The rule answers what is no variant", flagMetadata: {} };
  }
}

function evaluation(key: string, resolution: Resolution, shown: Shown): Evaluation {
  if (resolution.reason === "ERROR") {
    const { errorCode, errorMessage = "" } = resolution as { readonly errorCode: ErrorCode; readonly errorMessage?: string };
    return {
      key,
      errorCode: errorCode === ErrorCode.PARSE_ERROR ? errorCode : ErrorCode.GENERAL,
      errorDetails: shortened(`${errorMessage}.`),
    };
  }
  const { reason, value, variant } = resolution as { readonly reason: Reason; readonly value?: Json; readonly variant?: string };
  if (value === undefined || variant === undefined) return { key, reason, ...shown };
  return { key, reason, value, variant, ...shown };
}

/** What is the same for each context. */
function constant(evaluation: Evaluation, room: Room): Flag {
  const answer = new Answer(evaluation, room);
  return { key: evaluation.key, steps: 0, readsTime: false, answer: () => answer };
}

function isDefinition(value: Json): value is Definition & JsonObject {
  return isObject(value);
}

/** flagd-core hashes all that it can enumerate of a definition, to tell later what has changed: nobody asks it here. */
function unhashed(definition: object): ConstructorParameters<typeof FeatureFlag>[1] {
  const hidden = Object.entries(definition).map(([member, value]) => [member, { value }] as const);
  return Object.defineProperties({}, Object.fromEntries(hidden)) as ConstructorParameters<typeof FeatureFlag>[1];
}

/** With what a rule hashes: see `preparedRule`. */
function hashable(key: string, context: Context): Context {
  const { targetingKey } = context;
  // Named before, and set behind, whatever the context has by these names: V8 takes ten times as long to add a member to a copy.
  const usable: Record<string, unknown> = { [BY_TARGETING_KEY]: null, [UTF8]: null, ...context };
  usable[BY_TARGETING_KEY] = typeof targetingKey === "string" ? bytesOf(key + targetingKey) : null;
  usable[UTF8] = utf8Bytes;
  return usable as Context;
}

function contextError(key: string, { targetingKey }: Context): NotEvaluated | null {
  if (targetingKey === undefined || typeof targetingKey === "string") return null;
  return { key, errorCode: ErrorCode.INVALID_CONTEXT, errorDetails: "`targetingKey` must be a string." };
}

function tooMuchAtOnce(key: string): NotEvaluated {
  return { key, errorCode: ErrorCode.GENERAL, errorDetails: "All flags together take too long to evaluate: ask for this one by itself." };
}

function shortened(text: string): string {
  return text.length > CONTENT.faultLength ? `${text.slice(0, CONTENT.faultLength)}…` : text;
}

const silent = () => undefined;
const SILENT: Logger = { error: silent, warn: silent, info: silent, debug: silent };
