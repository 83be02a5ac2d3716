import { BOUNDS } from "./bounds.ts";
import { EnvmError, failureOf, notTheEngine } from "./errors.ts";
import { type EventHooks, serverEvents } from "./events.ts";
import { jsonLines } from "./lines.ts";
import type { Operation } from "./operations.ts";
import { type Prepared, prepare, quoted } from "./request.ts";
import { Deadline, type Transport } from "./transport.ts";
import { backoffMs, follow, pause } from "./waiting.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that one attempt may take. */
  readonly timeoutMs?: number | undefined;
  /** Times that the request is sent again, where it may be. */
  readonly retries?: number | undefined;
  /** The tag of what the caller has: where that is still so, the answer's status is 304 and it has no body. */
  readonly ifNoneMatch?: string | undefined;
  /** Is given the headers of the answer, before its body: an export's `Audit-Signature`. */
  readonly onHeaders?: ((headers: Headers) => void) | undefined;
}

export interface StreamOptions extends Omit<CallOptions, "ifNoneMatch">, EventHooks {
  /** Milliseconds without any sign of life after which the connection is given up. */
  readonly silenceMs?: number | undefined;
  /** The engine has begun to answer. */
  readonly onOpen?: (() => void) | undefined;
}

/** An answer with what HTTP says of it. `Body` is `null` where `ifNoneMatch` names what the caller has. */
export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
  /** Without its quotes; for `ifMatch` and `ifNoneMatch`. */
  readonly etag: string | null;
  readonly requestId: string | null;
  /** The engine's store was away: this was the head a while ago, where the operator lets it answer so. */
  readonly stale: boolean;
}

export interface CallDefaults {
  readonly timeoutMs: number;
  readonly retries: number;
  readonly totalMs: number;
}

type Members = Readonly<Record<string, unknown>>;

/** Carries out operations: sends, reads the answer, and sends again what may be sent again. */
export class Calls {
  readonly #transport: Transport;
  readonly #defaults: CallDefaults;

  constructor(transport: Transport, defaults: CallDefaults) {
    this.#transport = transport;
    this.#defaults = defaults;
  }

  async answer(operation: Operation, request: Members, options: CallOptions = {}): Promise<Answer<unknown>> {
    const prepared = this.#prepare(operation, request, options);
    const leave = new AbortController();
    const unfollow = follow(options.signal, leave);
    try {
      return await this.#repeatedly(operation, prepared, { ...options, signal: leave.signal }, async (signal) => {
        const response = await this.#transport.send({ ...prepared, signal });
        const text = await this.#transport.text(response, signal);
        if (response.ok) options.onHeaders?.(response.headers);
        return answerOf(operation, response, text, options.ifNoneMatch !== undefined);
      });
    } finally {
      unfollow();
    }
  }

  /** The lines of an answer, as they come. The time that they may take is the caller's to bound, with a signal. */
  async *lines(operation: Operation, request: Members, options: CallOptions = {}): AsyncGenerator<unknown, void, undefined> {
    yield* this.#streamed(operation, request, options, (bytes) => jsonLines(bytes));
  }

  /** The data of server-sent events, until the engine ends the stream. One that is silent for too long has lost its connection. */
  async *events(operation: Operation, request: Members, options: StreamOptions = {}): AsyncGenerator<unknown, void, undefined> {
    const { silenceMs = BOUNDS.silenceMs, onRetry, onAlive, onOpen } = options;
    yield* this.#streamed(operation, request, options, async function* (bytes, abort) {
      const silence = () => setTimeout(() => abort(silent(silenceMs)), Math.min(silenceMs, BOUNDS.timerMs));
      let timer = silence();
      const alive = () => {
        clearTimeout(timer);
        timer = silence();
        onAlive?.();
      };
      try {
        onOpen?.();
        yield* serverEvents(bytes, { onRetry, onAlive: alive });
      } finally {
        clearTimeout(timer);
      }
    });
  }

  async *#streamed(
    operation: Operation,
    request: Members,
    options: CallOptions,
    read: (bytes: ReadableStream<Uint8Array>, abort: (reason: EnvmError) => void) => AsyncGenerator<unknown, void, undefined>,
  ): AsyncGenerator<unknown, void, undefined> {
    const prepared = this.#prepare(operation, request, options);
    const leave = new AbortController();
    const unfollow = follow(options.signal, leave);
    try {
      const bytes = await this.#repeatedly(operation, prepared, { ...options, signal: leave.signal }, async (signal) => {
        const response = await this.#transport.send({ ...prepared, signal });
        if (!response.ok) throw failureOf(response, await this.#transport.text(response, signal));
        if (response.status === 204) return null;
        const type = STREAMED[operation.reply ?? ""] ?? "";
        if (response.body === null || !response.headers.get("content-type")?.startsWith(type)) throw notTheEngine(response);
        options.onHeaders?.(response.headers);
        return response.body;
      });
      if (bytes !== null) yield* read(bytes, (reason) => leave.abort(reason));
    } catch (error) {
      throw this.#transport.failure(error, leave.signal, { hasBegun: true });
    } finally {
      unfollow();
      // Whoever stops reading in the middle gives the connection back.
      leave.abort();
    }
  }

  #prepare(operation: Operation, request: Members, { ifNoneMatch }: CallOptions): Prepared {
    const prepared = prepare(operation, request);
    if (ifNoneMatch === undefined) return prepared;
    return { ...prepared, headers: { ...prepared.headers, "if-none-match": quoted(ifNoneMatch) } };
  }

  async #repeatedly<Result>(
    operation: Operation,
    prepared: Prepared,
    options: CallOptions,
    attempt: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { signal } = options;
    const waitedMs = /[?&]wait=/.test(prepared.target) ? BOUNDS.waitMs : 0;
    const ms = options.timeoutMs ?? this.#defaults.timeoutMs + waitedMs;
    const end = performance.now() + this.#defaults.totalMs + waitedMs;
    const retries = Math.min(options.retries ?? this.#defaults.retries, BOUNDS.retriesMax);
    for (let repetition = 0; ; repetition++) {
      const deadline = new Deadline(Math.min(ms, Math.max(0, end - performance.now())), signal);
      try {
        return await attempt(deadline.signal);
      } catch (thrown) {
        const error = this.#transport.failure(thrown, deadline.signal);
        const waitMs = Math.max(backoffMs(repetition), error.retryAfterMs ?? 0);
        if (repetition >= retries || !mayRepeat(operation, error) || waitMs > BOUNDS.retryMaxMs || performance.now() + waitMs >= end)
          throw error;
        await pause(waitMs, signal);
        if (signal?.aborted) throw this.#transport.failure(signal.reason, signal);
      } finally {
        deadline.clear();
      }
    }
  }
}

function answerOf(operation: Operation, response: Response, text: string, conditional: boolean): Answer<unknown> {
  const { status, headers } = response;
  const facts = {
    status,
    etag: headers.get("etag")?.replace(AROUND_TAG, "") ?? null,
    requestId: headers.get("x-request-id"),
    stale: headers.has("x-envm-stale"),
  };
  if (status === 304 && conditional) return { ...facts, body: null };
  if (!response.ok && !operation.answers?.includes(status)) throw failureOf(response, text);
  if (operation.reply === "text") return { ...facts, body: text };
  try {
    return { ...facts, body: JSON.parse(text) };
  } catch {
    throw notTheEngine(response);
  }
}

const STREAMED: Readonly<Record<string, string>> = { lines: "application/x-ndjson", events: "text/event-stream" };

function silent(ms: number): EnvmError {
  return new EnvmError("timeout", { reason: `Nothing came from the engine for ${ms} ms.`, fix: "Check the connection to it." });
}

/** A tag's quotes, and what a proxy makes of it where it compresses: nginx weakens it, Apache and newer Caddys name the coding at its end. */
const AROUND_TAG = /^W\/|"|-(?:gzip|br|zstd|deflate)(?="$)/g;

/** Statuses that say: not now. */
const TRANSIENT: readonly number[] = [429, 502, 503, 504];

/**
 * Whether sending the request again can do no harm and some good. A write whose answer was lost may have been done: it is sent
 * again only with the key by which the engine knows it, or where doing it twice is doing it once.
 */
function mayRepeat({ method, once, repeatable }: Operation, { code, status }: EnvmError): boolean {
  if (status === 429) return true;
  if (method !== "GET" && method !== "DELETE" && !once && !repeatable) return false;
  return code === "connection_failed" || code === "timeout" || code === "write_conflict" || TRANSIENT.includes(status);
}
