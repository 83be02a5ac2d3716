import type { Writable } from "node:stream";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

interface StreamBounds {
  readonly streams: number;
  readonly streamsPerToken: number;
}

/**
 * The replies that are being streamed. Each holds a connection, and something that it reads from, for as long as its reader
 * likes: so one token may have only so many, and all together too.
 *
 * @example
 * holdStream(response, streams.open(caller.token));
 */
export class Streams {
  readonly #bounds: StreamBounds;
  /** By token; those alone that have any. */
  readonly #open = new Map<string, number>();
  #total = 0;

  constructor(bounds: StreamBounds = LIMITS) {
    this.#bounds = bounds;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#total;
  }

  /**
   * Counts one more until what it returns is called; calling that again does nothing.
   * @throws too_many_requests
   */
  open(token: string): () => void {
    const { streams, streamsPerToken } = this.#bounds;
    const own = this.#open.get(token) ?? 0;
    if (own >= streamsPerToken) {
      throw tooMany(`This token has ${streamsPerToken} streams open, which is as many as it may.`, "Close one of them first.");
    }
    if (this.#total >= streams) {
      throw tooMany(`There are ${streams} streams open, which is as many as the engine takes.`, "Try again when others have ended.");
    }
    this.#open.set(token, own + 1);
    this.#total += 1;
    return once(() => this.#close(token));
  }

  #close(token: string): void {
    const left = (this.#open.get(token) ?? 0) - 1;
    if (left > 0) this.#open.set(token, left);
    else this.#open.delete(token);
    this.#total -= 1;
  }
}

function tooMany(reason: string, fix: string): AppError {
  return new AppError("too_many_requests", { reason, fix });
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}

/**
 * Has something done when a reply is over, be it that its connection ended before its turn on that came (`connections.begun`). The reader
 * may be gone by now, and then nothing tells of it any more.
 */
export function holdStream(wire: Pick<Writable, "destroyed" | "once">, close: () => void): void {
  if (wire.destroyed) close();
  else wire.once("close", close);
}
