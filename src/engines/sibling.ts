import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  decorrelatedJitterGenerator,
  ExponentialBackoff,
  handleWhen,
  isBrokenCircuitError,
  type RetryPolicy,
  retry,
} from "cockatiel";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { traced, traceHeaders } from "../tracing.ts";
import { unavailable } from "./failures.ts";
import type { OutgoingRequest } from "./message.ts";
import type { OutgoingResponse } from "./reply.ts";
import { EngineTarget } from "./request.ts";

/** How a sibling engine does, as this one sees it. `degraded`: its newest request failed; `down`: it is not asked for a while. */
export interface SiblingStatus {
  readonly status: "ok" | "degraded" | "down";
  /** Since when, ISO 8601; `null` where it was not asked yet. */
  readonly since: string | null;
  readonly last_error?: string;
}

export interface Counts {
  readonly requests: number;
  readonly failures: number;
  readonly retries: number;
  /** Requests that were not sent, since the ones before them failed. */
  readonly notSent: number;
}

export interface SiblingCall extends OutgoingRequest {
  /** Whether doing it twice does it once: then what failed on its way is tried again. */
  readonly idempotent: boolean;
  /** Whether a reply with a status of 500 or more is an answer all the same. */
  readonly isAnswer?: (response: OutgoingResponse) => boolean;
}

export interface SiblingBounds {
  readonly attempts: number;
  readonly firstPauseMs: number;
  /** Failures in a row after which it is not asked any more. */
  readonly failures: number;
  /** Milliseconds until it is asked again, with one request. */
  readonly pauseMs: number;
  /** Milliseconds that one request may take. */
  readonly timeoutMs?: number | undefined;
}

const BOUNDS: SiblingBounds = {
  attempts: LIMITS.siblingAttempts,
  firstPauseMs: LIMITS.siblingRetryMs,
  failures: LIMITS.siblingFailures,
  pauseMs: LIMITS.siblingPauseMs,
};

/** A status of 500 or more, so that it counts as a failure; it never leaves this file. */
class Faulty extends Error {
  readonly response: OutgoingResponse;

  constructor(response: OutgoingResponse) {
    super("a sibling engine answered with a fault of its own");
    this.response = response;
  }
}

/**
 * A sibling engine that may be slow, faulty or away: requests have an end, those that may be repeated are, with jitter, and
 * after several failures in a row it is left alone for a while, so that nobody waits for it in vain. The breaker and the
 * retries are cockatiel's.
 */
export class Sibling {
  readonly name: string;
  readonly #target: EngineTarget;
  readonly #bounds: SiblingBounds;
  #breaker: CircuitBreakerPolicy;
  /** When the breaker opened, by `performance.now()`. */
  #openedAt = 0;
  readonly #retries: RetryPolicy;
  readonly #timeoutMs: number;
  /** Until when it asked to be left alone, by `performance.now()`. */
  #restsUntil = 0;
  readonly #counts = { requests: 0, failures: 0, retries: 0, notSent: 0 };
  #status: SiblingStatus = { status: "ok", since: null };

  /** @throws AppError `target_not_allowed` where the URL is no base of an engine */
  constructor(name: string, baseUrl: string, bounds: SiblingBounds = BOUNDS) {
    this.name = name;
    this.#timeoutMs = bounds.timeoutMs ?? LIMITS.siblingTimeoutMs;
    this.#target = new EngineTarget(baseUrl, { name: `The ${name} engine` });
    this.#bounds = bounds;
    this.#breaker = this.#newBreaker();
    const backoff = new ExponentialBackoff({ initialDelay: bounds.firstPauseMs, generator: decorrelatedJitterGenerator });
    const worthAnotherTry = handleWhen((error) => isFailure(error) && this.#restMs() === 0);
    this.#retries = retry(worthAnotherTry, { maxAttempts: bounds.attempts - 1, backoff });
    this.#retries.onRetry(() => this.#counts.retries++);
  }

  /**
   * Asks the sibling. A status below 500 is an answer, whatever it says.
   * @throws AppError `engine_unavailable`, with `details.retry_after_ms` where it said when it may be asked again
   */
  async call(path: readonly string[], { idempotent, isAnswer = () => false, ...request }: SiblingCall): Promise<OutgoingResponse> {
    if (this.#restMs() > 0) throw this.#resting();
    this.#endPause();
    const once = () => this.#breaker.execute(() => this.#send(path, request, isAnswer));
    try {
      return await (idempotent ? this.#retries.execute(once) : once());
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw asUnavailable(error, this.name);
      this.#counts.notSent++;
      const why = this.#status.last_error === undefined ? "" : `: ${this.#status.last_error.replace(/\.$/, "")}`;
      throw unavailable("unreachable", `The ${this.name} engine`, `failed several times in a row and is left alone for a while${why}`);
    }
  }

  status(): SiblingStatus {
    const isLeftAlone = this.#breaker.state === CircuitState.Open || this.#restMs() > 0;
    return isLeftAlone && this.#status.status !== "ok" ? { ...this.#status, status: "down" } : this.#status;
  }

  counts(): Counts {
    return { ...this.#counts };
  }

  close(): Promise<void> {
    return this.#target.close();
  }

  #newBreaker(initialState?: object): CircuitBreakerPolicy {
    const { pauseMs, failures } = this.#bounds;
    const options = {
      halfOpenAfter: pauseMs,
      breaker: new ConsecutiveBreaker(failures),
      ...(initialState !== undefined && { initialState }),
    };
    const breaker = circuitBreaker(handleWhen(isFailure), options);
    breaker.onBreak(() => {
      this.#openedAt = performance.now();
    });
    return breaker;
  }

  /** The breaker goes by this machine's clock: where that is set back, it would leave the sibling alone for as long. */
  #endPause(): void {
    if (this.#breaker.state !== CircuitState.Open || performance.now() - this.#openedAt < this.#bounds.pauseMs) return;
    // Once, though several may ask before the first of them is sent.
    this.#openedAt = performance.now();
    const { breakerState } = this.#breaker.toJSON() as { readonly breakerState: unknown };
    this.#breaker = this.#newBreaker({ ownState: { value: CircuitState.Open, openedAt: 0, attemptNo: 1 }, breakerState });
  }

  async #send(
    path: readonly string[],
    request: OutgoingRequest,
    isAnswer: (response: OutgoingResponse) => boolean,
  ): Promise<OutgoingResponse> {
    this.#counts.requests++;
    try {
      const facts = { name: `${this.name} ${request.method}`, kind: "client", attributes: { "peer.service": this.name } } as const;
      const response = await traced(facts, async (tell) => {
        const headers = { ...traceHeaders(), ...request.headers };
        const reply = await this.#target.request(path, { timeoutMs: this.#timeoutMs, ...request, headers });
        tell({ "http.response.status_code": reply.status });
        return reply;
      });
      this.#heed(response.retryAfterMs());
      if (response.status >= 500 && !isAnswer(response)) throw new Faulty(response);
      if (this.#status.status !== "ok" || this.#status.since === null) this.#status = { status: "ok", since: now() };
      return response;
    } catch (error) {
      if (isFailure(error)) this.#fail(asUnavailable(error, this.name));
      throw error;
    }
  }

  #heed(askedMs: number | null): void {
    if (askedMs !== null) this.#restsUntil = performance.now() + Math.min(askedMs, LIMITS.siblingRestMs);
  }

  #restMs(): number {
    return Math.max(0, this.#restsUntil - performance.now());
  }

  #resting(): AppError {
    this.#counts.notSent++;
    const ms = this.#restMs();
    const seconds = Math.ceil(ms / 1_000);
    return unavailable("unreachable", `The ${this.name} engine`, `asked to be left alone for another ${seconds} s`, ms);
  }

  #fail({ message }: AppError): void {
    this.#counts.failures++;
    const since = this.#status.status === "ok" ? now() : this.#status.since;
    this.#status = { status: "degraded", since, last_error: message };
  }
}

/** What says something about the sibling, and nothing about the request: neither that it was not waited for, nor that too many were made at once. */
function isFailure(error: unknown): boolean {
  if (error instanceof Faulty) return true;
  const isOurs = error instanceof AppError && (error.details?.["failure"] === "aborted" || error.details?.["failure"] === "overloaded");
  return error instanceof AppError && error.code === "engine_unavailable" && !isOurs;
}

function asUnavailable(error: unknown, name: string): AppError {
  if (error instanceof Faulty) {
    const { response } = error;
    return unavailable("broken", `The ${name} engine`, `answers with status ${response.status}`, response.retryAfterMs());
  }
  if (error instanceof AppError) return error;
  throw error;
}

function now(): string {
  return new Date().toISOString();
}
