import { createParser } from "eventsource-parser";
import { BOUNDS } from "./bounds.ts";
import { EnvmError } from "./errors.ts";
import { textOf } from "./lines.ts";

export interface EventHooks {
  /** Something came, be it a sign of life alone. */
  readonly onAlive?: (() => void) | undefined;
  /** Milliseconds after which the engine asks to come back, where the stream ends. */
  readonly onRetry?: ((ms: number) => void) | undefined;
}

/**
 * The data of server-sent events (WHATWG HTML §9.2), each one JSON value, as they come.
 * @throws invalid_answer for data that is no JSON, or an event that is too long
 */
export async function* serverEvents(
  bytes: ReadableStream<Uint8Array>,
  { onAlive, onRetry }: EventHooks,
): AsyncGenerator<unknown, void, undefined> {
  const queue: string[] = [];
  let tooLong = false;
  const parser = createParser({
    maxBufferSize: BOUNDS.lineLength,
    onEvent: ({ data }) => queue.push(data),
    onRetry: (ms) => onRetry?.(ms),
    onError: ({ type }) => {
      tooLong ||= type === "max-buffer-size-exceeded";
    },
  });
  for await (const text of textOf(bytes)) {
    onAlive?.();
    parser.feed(text);
    if (tooLong) throw broken("An event is too long.");
    for (let data = queue.shift(); data !== undefined; data = queue.shift()) yield eventValue(data);
  }
}

function eventValue(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw broken("An event is not JSON.");
  }
}

function broken(reason: string): EnvmError {
  return new EnvmError("invalid_answer", { reason, fix: "Check what stands between here and the engine." });
}
