import type { ErrorCode, EvaluationContext, ResolutionDetails } from "@openfeature/core";
import type { Evaluation, EvaluationContext as JsonContext } from "./connection.ts";

export type FlagType = "boolean" | "string" | "number" | "object";

/** An evaluation as OpenFeature has it: always with a value, the application's own where the flag has none of that type. */
export function resolution<Value>(evaluation: Evaluation, type: FlagType, fallback: Value): ResolutionDetails<Value> {
  if ("errorCode" in evaluation) return failed(fallback, evaluation.errorCode, evaluation.errorDetails);
  const { key, value, reason, variant, metadata } = evaluation;
  if (value !== undefined && typeof value !== type) {
    return failed(fallback, "TYPE_MISMATCH", `The flag ${JSON.stringify(key)} holds a ${typeof value}, not a ${type}.`);
  }
  return {
    value: value === undefined ? fallback : owned(value as Value),
    reason,
    ...(variant !== undefined && { variant }),
    ...(metadata !== undefined && { flagMetadata: metadata as NonNullable<ResolutionDetails<Value>["flagMetadata"]> }),
  };
}

/** The application may do with a value what it likes: the copy that it comes from is everybody's. */
function owned<Value>(value: Value): Value {
  return typeof value === "object" ? structuredClone(value) : value;
}

/** A context may hold dates, which rules see as the engine would: as the text that JSON has for them. */
export function jsonContext(context: EvaluationContext): JsonContext {
  return (holdsDate(context) ? JSON.parse(JSON.stringify(context)) : context) as JsonContext;
}

function holdsDate(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof Date) return true;
  for (const member in value) if (holdsDate((value as Readonly<Record<string, unknown>>)[member])) return true;
  return false;
}

function failed<Value>(fallback: Value, code: `${ErrorCode}`, message: string): ResolutionDetails<Value> {
  return { value: fallback, reason: "ERROR", errorCode: code as ErrorCode, errorMessage: message };
}
