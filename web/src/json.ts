import { type JsonBytes, scanJson } from "../../src/json-text/scan.ts";

/** How deep and how large it may be is for the engine to say. */
const ANY_SIZE = { depth: Number.POSITIVE_INFINITY, members: Number.POSITIVE_INFINITY };

export type ReadJson = { readonly value: unknown; readonly fault: null } | { readonly fault: string };

/**
 * Reads what somebody typed or chose as JSON, with the very rules of the engine's: a number that no double is, or a member given twice, would
 * be another value than was meant, and the engine could not tell. `fault` says where, and what is wrong there; no piece of the text.
 */
export function readJson(text: string): ReadJson {
  try {
    scanJson(bytesOf(text), ANY_SIZE);
    return { value: JSON.parse(text), fault: null };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { fault: reason.replace(/^The body is not valid JSON at l/, "L") };
  }
}

function bytesOf(text: string): JsonBytes {
  const bytes = new TextEncoder().encode(text);
  const decoder = new TextDecoder();
  return Object.assign(bytes, { toString: (_: "utf8", start: number, end: number) => decoder.decode(bytes.subarray(start, end)) });
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
