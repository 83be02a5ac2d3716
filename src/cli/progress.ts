import { BOUNDS } from "./bounds.ts";
import type { Output } from "./output.ts";

/** What is under way, on a terminal: a bar where it is known how much there is, else how much was done. Nothing elsewhere. */
export class Progress {
  readonly #output: Output;
  readonly #what: string;
  readonly #started = Date.now();
  readonly #timer: NodeJS.Timeout | null;
  readonly #measure: (amount: number) => string;
  #done = 0;
  #total: number | null = null;
  #drawn = 0;

  /** @param measure says how much something is; bytes where it is left out */
  constructor(output: Output, what: string, measure: (amount: number) => string = size) {
    this.#measure = measure;
    this.#output = output;
    this.#what = what;
    // Also while nothing moves: what was sent to the last byte may keep the engine busy for a while.
    this.#timer = output.watched ? setInterval(() => this.#draw(), BOUNDS.progressMs).unref() : null;
  }

  /** Begins another part of the work. */
  begin(total: number | null): void {
    this.#done = 0;
    this.#total = total;
    this.#draw();
  }

  add(amount: number): void {
    this.#done += amount;
    this.#draw();
  }

  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#drawn > 0) this.#output.draw("\r\x1b[K");
  }

  #draw(): void {
    const now = Date.now();
    if (!this.#output.watched || now - this.#started < BOUNDS.progressAfterMs || now - this.#drawn < BOUNDS.progressMs) return;
    this.#drawn = now;
    this.#output.draw(`\r\x1b[K${this.#what} ${this.#picture()}`);
  }

  #picture(): string {
    if (this.#total === null || this.#total === 0) return this.#measure(this.#done);
    const part = Math.min(1, this.#done / this.#total);
    const filled = Math.round(part * 24);
    return `[${"█".repeat(filled)}${"░".repeat(24 - filled)}] ${Math.floor(part * 100)} % of ${this.#measure(this.#total)}`;
  }
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** A fetch whose requests and answers move the bar as their bytes go by. */
export function watchedFetch(progress: Progress): Fetch {
  return async (input, init) => {
    const { body } = init;
    if (typeof body === "string") {
      const bytes = new TextEncoder().encode(body);
      progress.begin(bytes.length);
      const request = { ...init, body: pieces(bytes, progress), duplex: "half" } as RequestInit;
      return counted(await fetch(input, request), progress);
    }
    return counted(await fetch(input, init), progress);
  };
}

const PIECE = 256 * 1024;

function pieces(bytes: Uint8Array<ArrayBuffer>, progress: Progress): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      const piece = bytes.subarray(at, at + PIECE);
      at += piece.length;
      if (piece.length === 0) return controller.close();
      progress.add(piece.length);
      controller.enqueue(piece);
    },
  });
}

function counted(response: Response, progress: Progress): Response {
  if (response.body === null) return response;
  const length = Number(response.headers.get("content-length"));
  progress.begin(length > 0 && response.headers.get("content-encoding") === null ? length : null);
  const body = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        progress.add(piece.length);
        controller.enqueue(piece);
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new Response([101, 204, 205, 304].includes(status) ? null : body, { status, statusText, headers });
}
