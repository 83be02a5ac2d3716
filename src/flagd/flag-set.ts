import { ErrorCode, type EvaluationContext, type Logger } from "@openfeature/core";
import { FeatureFlag } from "@openfeature/flagd-core";
import { LIMITS } from "../limits.ts";
import type { Json, JsonObject } from "../ports.ts";
import type { Context } from "./context.ts";
import { type Definition, definitionFaults, definitionSteps, expanded, type Shared } from "./definition.ts";
import { hashes, preparedRule, readsTime } from "./prepare.ts";
import { isRecord } from "./rule.ts";
import { UTF8, utf8Bytes } from "./utf8.ts";

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
  #readsTime: boolean | undefined;

  constructor(definitions: JsonObject, { evaluators = {}, metadata = {} }: Shared) {
    this.keys = Object.keys(definitions);
    this.metadata = metadata;
    this.#definitions = definitions;
    this.#evaluators = evaluators;
  }

  get readsTime(): boolean {
    this.#readsTime ??= this.keys.some((key) => this.#flag(key)?.readsTime);
    return this.#readsTime;
  }

  evaluate(key: string, context: Context): Evaluation {
    const flag = this.#flag(key);
    if (flag === undefined) return { key, errorCode: ErrorCode.FLAG_NOT_FOUND, errorDetails: `There is no flag ${JSON.stringify(key)}.` };
    return contextError(key, context) ?? flag.evaluate(flag.hashes ? hashable(context) : context);
  }

  evaluateAll(context: Context): readonly Evaluation[] {
    const usable = hashable(context);
    let steps = 0;
    return this.keys.flatMap((key) => {
      const flag = this.#flag(key);
      if (flag === undefined) return [];
      steps += flag.steps;
      return contextError(key, context) ?? (steps > ALL_STEPS ? tooMuchAtOnce(key) : flag.evaluate(usable));
    });
  }

  #flag(key: string): Flag | undefined {
    const ready = this.#ready.get(key);
    if (ready !== undefined) return ready;
    const definition = Object.hasOwn(this.#definitions, key) ? this.#definitions[key] : undefined;
    if (definition === undefined) return undefined;
    const flag = readyFlag(key, definition, { evaluators: this.#evaluators, metadata: this.metadata });
    this.#ready.set(key, flag);
    return flag;
  }
}

/** What the flags that an environment binds may take at most, so that a platform's defaults alone can come to more. */
const ALL_STEPS = LIMITS.environmentSteps + LIMITS.configEntries * LIMITS.simpleSteps;

interface Flag {
  /** That it may take to evaluate it. */
  readonly steps: number;
  readonly hashes: boolean;
  readonly readsTime: boolean;
  evaluate(context: Context): Evaluation;
}

function readyFlag(key: string, given: Json, { evaluators = {}, metadata = {} }: Shared): Flag {
  const [fault] = definitionFaults(given, evaluators);
  const definition = expanded(given);
  if (fault !== undefined || !isDefinition(definition)) {
    const details = fault === undefined ? "it is no definition" : `${fault.path}: ${fault.message}`;
    return constant({ key, errorCode: ErrorCode.PARSE_ERROR, errorDetails: shortened(`The flag cannot be evaluated: ${details}.`) });
  }
  const merged = { ...metadata, ...definition.metadata };
  const shown = Object.keys(merged).length === 0 ? {} : { metadata: merged };
  if (definition.state === "DISABLED") return constant({ key, reason: "DISABLED", ...shown });
  const targeting = definition.targeting === undefined ? undefined : preparedRule(definition.targeting, key, evaluators);
  const flag = new FeatureFlag(key, unhashed({ ...definition, targeting }), SILENT, { disableDynamicCodeGeneration: true });
  return {
    steps: definitionSteps(definition, evaluators),
    hashes: targeting !== undefined && hashes(targeting),
    readsTime: targeting !== undefined && readsTime(targeting),
    evaluate: (context) => evaluation(key, flag.evaluate(context as EvaluationContext, SILENT), shown),
  };
}

type Resolution = ReturnType<FeatureFlag["evaluate"]>;

function evaluation(key: string, resolution: Resolution, shown: { readonly metadata?: JsonObject }): Evaluation {
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

function constant(evaluation: Evaluation): Flag {
  return { steps: 0, hashes: false, readsTime: false, evaluate: () => evaluation };
}

function isDefinition(value: Json): value is Definition & JsonObject {
  return isRecord(value);
}

/** flagd-core hashes all that it can enumerate of a definition, to tell later what has changed: nobody asks it here. */
function unhashed(definition: object): ConstructorParameters<typeof FeatureFlag>[1] {
  const hidden = Object.entries(definition).map(([member, value]) => [member, { value }] as const);
  return Object.defineProperties({}, Object.fromEntries(hidden)) as ConstructorParameters<typeof FeatureFlag>[1];
}

function hashable(context: Context): Context {
  return { ...context, [UTF8]: utf8Bytes } as Context;
}

function contextError(key: string, { targetingKey }: Context): NotEvaluated | null {
  if (targetingKey === undefined || typeof targetingKey === "string") return null;
  return { key, errorCode: ErrorCode.INVALID_CONTEXT, errorDetails: "`targetingKey` must be a string." };
}

function tooMuchAtOnce(key: string): NotEvaluated {
  return { key, errorCode: ErrorCode.GENERAL, errorDetails: "All flags together take too long to evaluate: ask for this one by itself." };
}

function shortened(text: string): string {
  return text.length > LIMITS.faultLength ? `${text.slice(0, LIMITS.faultLength)}…` : text;
}

const silent = () => undefined;
const SILENT: Logger = { error: silent, warn: silent, info: silent, debug: silent };
