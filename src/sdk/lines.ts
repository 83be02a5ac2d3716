import { BOUNDS } from "./bounds.ts";
import { EnvmError } from "./errors.ts";

/**
 * One JSON value for each line.
 * @throws invalid_answer for a line that is none, or too long: an answer that broke off is never taken for a whole one
 */
export async function* jsonLines(bytes: ReadableStream<Uint8Array>): AsyncGenerator<unknown, void, undefined> {
  let rest = "";
  for await (const text of textOf(bytes)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > BOUNDS.lineLength) throw broken("A line of the answer is too long.");
    for (const line of lines) if (line !== "") yield lineValue(line);
  }
  if (rest !== "") yield lineValue(rest);
}

/** Readers that come in parts of their own: browsers do not all iterate streams. */
export async function* textOf(bytes: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const reader = bytes.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function lineValue(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw broken("A line of the answer is not JSON.");
  }
}

function broken(reason: string): EnvmError {
  return new EnvmError("invalid_answer", { reason, fix: "Ask again: the answer may have been cut off." });
}
