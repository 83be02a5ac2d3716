import { ANY_SIZE, type JsonBytes, scanJson } from "../../src/json-text/scan.ts";

/** What a JSON text holds; or where it is wrong and why, as the end of a sentence. */
type ReadJson = { readonly value: unknown; readonly fault: null } | { readonly value: undefined; readonly fault: string };

/**
 * Reads JSON that somebody wrote, held to what the engine takes: `JSON.parse` alone rounds a long number, and takes the last of two members
 * of one name, without a word, so that what is sent would be another than what is there to be read.
 */
export function readJson(text: string): ReadJson {
  try {
    scanJson(bytesOf(text), ANY_SIZE);
    return { value: JSON.parse(text), fault: null };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { value: undefined, fault: reason.replace(/^The body is not valid JSON at /, "") };
  }
}

/** Reads a file's JSON: in UTF-8, with or without a byte order mark. */
export function readJsonFile(bytes: Uint8Array<ArrayBuffer>): ReadJson {
  try {
    return readJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return { value: undefined, fault: "it is not in UTF-8: save it again as that." };
  }
}

// A byte order mark in the middle of a text is a character like any other.
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

function bytesOf(text: string): JsonBytes {
  const bytes = new TextEncoder().encode(text);
  return Object.assign(bytes, { toString: (_: "utf8", start: number, end: number) => UTF8.decode(bytes.subarray(start, end)) });
}
