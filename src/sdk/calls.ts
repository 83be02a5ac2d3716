import { BOUNDS } from "./bounds.ts";
import { type EnvmError, failureOf, notTheEngine } from "./errors.ts";
import { jsonLines } from "./lines.ts";
import type { Operation } from "./operations.ts";
import { type Prepared, prepare, quoted } from "./request.ts";
import { Deadline, type Transport } from "./transport.ts";
import { backoffMs, pause } from "./waiting.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that one attempt may take. */
  readonly timeoutMs?: number | undefined;
  /** Times that the request is sent again, where it may be. */
  readonly retries?: number | undefined;
  /** The tag of what the caller has: where that is still so, the answer's status is 304 and it has no body. */
  readonly ifNoneMatch?: string | undefined;
}

/** An answer with what HTTP says of it. `Body` is `null` where `ifNoneMatch` names what the caller has. */
export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
  /** Without its quotes; for `ifMatch` and `ifNoneMatch`. */
  readonly etag: string | null;
  readonly requestId: string | null;
}

export interface CallDefaults {
  readonly timeoutMs: number;
  readonly retries: number;
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
    return this.#repeatedly(operation, prepared, options, async (signal) => {
      const response = await this.#transport.send({ ...prepared, signal });
      const text = await response.text();
      return answerOf(operation, response, text, options.ifNoneMatch !== undefined);
    });
  }

  /** The lines of an answer, as they come. The time that they may take is the caller's to bound, with a signal. */
  async *lines(operation: Operation, request: Members, options: CallOptions = {}): AsyncGenerator<unknown, void, undefined> {
    const prepared = this.#prepare(operation, request, options);
    const leave = new AbortController();
    const outer = options.signal === undefined ? leave.signal : AbortSignal.any([options.signal, leave.signal]);
    try {
      const body = await this.#repeatedly(operation, prepared, { ...options, signal: outer }, async (signal) => {
        const response = await this.#transport.send({ ...prepared, signal });
        if (!response.ok) throw failureOf(response, await response.text());
        if (response.body === null) throw notTheEngine(response);
        return response.body;
      });
      yield* jsonLines(body);
    } catch (error) {
      throw this.#transport.failure(error, outer);
    } finally {
      // Whoever stops reading in the middle gives the connection back.
      leave.abort();
    }
  }

  #prepare(operation: Operation, request: Members, { ifNoneMatch }: CallOptions): Prepared {
    const prepared = prepare(operation, request, () => crypto.randomUUID());
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
    const ms = options.timeoutMs ?? this.#defaults.timeoutMs + (/[?&]wait=/.test(prepared.target) ? BOUNDS.waitMs : 0);
    const retries = Math.min(options.retries ?? this.#defaults.retries, BOUNDS.retriesMax);
    for (let repetition = 0; ; repetition++) {
      const deadline = new Deadline(ms, signal);
      try {
        return await attempt(deadline.signal);
      } catch (thrown) {
        const error = this.#transport.failure(thrown, deadline.signal);
        const waitMs = Math.max(backoffMs(repetition), error.retryAfterMs ?? 0);
        if (repetition >= retries || !mayRepeat(operation, error) || waitMs > BOUNDS.retryMaxMs) throw error;
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
  const etag = headers.get("etag")?.replace(/^W\/|"/g, "") ?? null;
  const requestId = headers.get("x-request-id");
  if (status === 304 && conditional) return { status, body: null, etag, requestId };
  if (!response.ok && !operation.answers?.includes(status)) throw failureOf(response, text);
  if (operation.reply === "text") return { status, body: text, etag, requestId };
  try {
    return { status, body: JSON.parse(text), etag, requestId };
  } catch {
    throw notTheEngine(response);
  }
}

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
