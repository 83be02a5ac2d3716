import type { ErrorCode, ResolutionDetails } from "@openfeature/core";
import type { Evaluation } from "./connection.ts";

export type FlagType = "boolean" | "string" | "number" | "object";

/** An evaluation as OpenFeature has it: always with a value, the application's own where the flag has none of that type. */
export function resolution<Value>(evaluation: Evaluation, type: FlagType, fallback: Value): ResolutionDetails<Value> {
  if ("errorCode" in evaluation) return failed(fallback, evaluation.errorCode, evaluation.errorDetails);
  const { key, value, reason, variant, metadata } = evaluation;
  if (value !== undefined && typeof value !== type) {
    return failed(fallback, "TYPE_MISMATCH", `The flag ${JSON.stringify(key)} holds a ${typeof value}, not a ${type}.`);
  }
  return {
    value: value === undefined ? fallback : (value as Value),
    reason,
    ...(variant !== undefined && { variant }),
    ...(metadata !== undefined && { flagMetadata: metadata as NonNullable<ResolutionDetails<Value>["flagMetadata"]> }),
  };
}

function failed<Value>(fallback: Value, code: `${ErrorCode}`, message: string): ResolutionDetails<Value> {
  return { value: fallback, reason: "ERROR", errorCode: code as ErrorCode, errorMessage: message };
}
