import { isObject } from "../json.ts";
import { CONTENT } from "../limits/content.ts";
import type { Json, JsonObject } from "../ports.ts";
import { isList } from "./rule.ts";

/** What flags are evaluated for. */
export interface Context extends JsonObject {}

/**
 * Why a context cannot be taken, or `null`. Who evaluates for others must ask: what a rule costs is bounded for contexts
 * that pass.
 */
export function contextFault(context: Json): string | null {
  if (!isObject(context)) return "The context must be an object.";
  const { targetingKey } = context;
  if (targetingKey !== undefined && typeof targetingKey !== "string") return "`targetingKey` must be a string.";
  if (isLongerThan(CONTENT.contextBytes, JSON.stringify(context))) {
    return `The context is larger than ${CONTENT.contextBytes} bytes: send what the flags' rules look at.`;
  }
  const long = longList(context, "");
  return long === null
    ? null
    : `The list \`${long.slice(0, CONTENT.faultLength)}\` of the context has more than ${CONTENT.contextElements} elements.`;
}

/** A UTF-16 unit takes at most three bytes: of a short text they need not be counted. */
function isLongerThan(bytes: number, text: string): boolean {
  return text.length > bytes / 3 && new TextEncoder().encode(text).length > bytes;
}

function longList(value: Json, path: string): string | null {
  if (isList(value) && value.length > CONTENT.contextElements) return path;
  if (typeof value !== "object" || value === null) return null;
  for (const [member, content] of Object.entries(value)) {
    const long = longList(content, path === "" ? member : `${path}.${member}`);
    if (long !== null) return long;
  }
  return null;
}
