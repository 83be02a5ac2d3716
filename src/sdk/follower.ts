import { BOUNDS } from "./bounds.ts";
import type { CallOptions } from "./calls.ts";
import type { Client } from "./client.ts";
import { type Copy, copyOf } from "./copy.ts";
import { EnvmError } from "./errors.ts";
import { Deadline } from "./transport.ts";
import { backoffMs, follow, pause } from "./waiting.ts";

export interface Place {
  readonly project: string;
  readonly env: string;
}

export interface FollowerOptions extends Place {
  /** Whether secret values are read too, which the engine audits. */
  readonly secrets: boolean;
  readonly timeoutMs: number;
  readonly silenceMs: number;
  readonly pollMs: number;
  /** The token is asked for before each request: one that is not valid may be followed by one that is. */
  readonly renewsToken: boolean;
  /** `false`: reads now and then, without a stream. */
  readonly stream: boolean;
}

type ReadOptions = CallOptions & { readonly signal: AbortSignal };

/** How the newest state is known. */
export type Updates = "stream" | "polling";

export interface FollowerHooks {
  /** Another copy than before. */
  loaded(copy: Copy): void;
  /** The copy is the head's, as of now. */
  confirmed(by: Updates): void;
  /** The stream has ended. It is asked for again: only where that fails is the copy called stale. */
  interrupted(): void;
  /** Whether the copy is the head's is not known any more. */
  lost(error: EnvmError): void;
  /** It will not come back. */
  ended(error: EnvmError): void;
  warned(error: EnvmError): void;
}

/**
 * Keeps a copy of one environment current: a stream says when there is something new, and a conditional read gets it. Where no
 * stream can be had, the read alone is repeated.
 */
export class Follower {
  readonly #client: Client;
  readonly #options: FollowerOptions;
  readonly #hooks: FollowerHooks;
  #copy: Copy | null = null;
  #loading: Promise<void> = Promise.resolve();
  /** Milliseconds after which the engine asked to come back. */
  #returnMs = 0;

  constructor(client: Client, options: FollowerOptions, hooks: FollowerHooks) {
    this.#client = client;
    this.#options = options;
    this.#hooks = hooks;
  }

  /** Starts from what was kept, where nothing has come from the engine yet. */
  start(copy: Copy): boolean {
    if (this.#copy !== null) return false;
    this.#copy = copy;
    return true;
  }

  /** Follows until the signal is aborted or the environment or the token has ended. */
  async run(signal: AbortSignal): Promise<void> {
    // What stands there now is asked for beside the stream, and not after it: whoever starts waits for one answer alone.
    this.#load(signal, { retries: 0 }).catch((error: unknown) => this.#told(error, signal));
    for (let failures = 0; !signal.aborted; failures++) {
      const followed = await this.#follow(signal);
      if (followed.lived) {
        failures = 0;
        this.#hooks.interrupted();
      }
      const error = followed.lived && followed.error === null ? null : await this.#poll(followed.error, followed.lived, signal);
      if (signal.aborted) return;
      if (error !== null && this.#ends(error)) {
        this.#hooks.ended(error);
        return;
      }
      if (error !== null) this.#hooks.lost(error);
      await pause(this.#waitMs(followed.lived, error, failures), signal);
    }
  }

  #ends(error: EnvmError): boolean {
    return isFinal(error) && !(this.#options.renewsToken && error.code === "unauthorized");
  }

  /**
   * A stream that has lived is asked for again when the engine said; one that cannot be had, sooner at first and then as seldom
   * as reads are enough, as long as those work.
   */
  #waitMs(lived: boolean, error: EnvmError | null, failures: number): number {
    if (lived) return Math.max(this.#returnMs, BOUNDS.returnMs * Math.random());
    if (error !== null) return Math.min(Math.max(backoffMs(failures), error.retryAfterMs ?? 0), BOUNDS.retryMaxMs);
    const { pollMs, stream } = this.#options;
    return Math.min(pollMs, stream ? BOUNDS.returnMs * 2 ** Math.min(failures, 30) : pollMs) * (0.75 + Math.random() / 2);
  }

  /** Follows one stream to its end. `lived`: it told at least what stands there now. */
  async #follow(signal: AbortSignal): Promise<{ readonly lived: boolean; readonly error: EnvmError | null }> {
    if (!this.#options.stream) return { lived: false, error: null };
    const { project, env, silenceMs, timeoutMs } = this.#options;
    let lived = false;
    // What stands between may hold a stream back until it is full: then there is none.
    const leave = new AbortController();
    const unfollow = follow(signal, leave);
    const first = new Deadline(timeoutMs, leave.signal);
    try {
      const onRetry = (ms: number) => {
        this.#returnMs = Math.min(ms, BOUNDS.retryMaxMs);
      };
      const onAlive = () => lived && this.#hooks.confirmed("stream");
      const options = { signal: first.signal, timeoutMs, retries: 0, silenceMs, onRetry, onAlive };
      for await (const event of this.#client.watchEnvironment({ project, env }, options)) {
        first.clear();
        if (!this.#knows(event, lived)) await this.#load(signal);
        lived = true;
        this.#hooks.confirmed("stream");
        if (event.final !== undefined) return { lived, error: ended(event.final, env) };
      }
      return {
        lived,
        error: lived ? null : new EnvmError("invalid_answer", { reason: "The engine's stream ended before it told anything." }),
      };
    } catch (error) {
      return { lived, error: asEnvmError(error) };
    } finally {
      first.clear();
      unfollow();
    }
  }

  /** The first event of a stream names the head, whatever this copy is; those after it are each newer than the one before. */
  #knows({ etag, revision }: { readonly etag: string; readonly revision?: number | undefined }, lived: boolean): boolean {
    if (this.#copy === null) return false;
    return etag === this.#copy.etag || (lived && revision !== undefined && revision <= this.#copy.revision);
  }

  /** Reads, where no stream tells. @returns why neither works */
  async #poll(error: EnvmError | null, lived: boolean, signal: AbortSignal): Promise<EnvmError | null> {
    if (lived || signal.aborted || (error !== null && this.#ends(error))) return error;
    try {
      await this.#load(signal);
      this.#hooks.confirmed("polling");
      return null;
    } catch (failure) {
      return asEnvmError(failure);
    }
  }

  #told(error: unknown, signal: AbortSignal): void {
    if (!signal.aborted) this.#hooks.lost(asEnvmError(error));
  }

  /** One read after another, so that none overtakes a newer one. */
  #load(signal: AbortSignal, options: CallOptions = {}): Promise<void> {
    const load = this.#loading.then(() => this.#read({ timeoutMs: this.#options.timeoutMs, ...options, signal }));
    this.#loading = load.catch(() => undefined);
    return load;
  }

  async #read(options: ReadOptions): Promise<void> {
    const { project, env, secrets: revealed } = this.#options;
    const known = this.#copy;
    const { body, etag, stale } = await this.#client.answer(
      "getConfig",
      { project, env },
      { ...options, ifNoneMatch: known?.etag ?? undefined },
    );
    // A proxy that packs answers may change their tags, the same way each time: the engine then does not know what we have.
    const isKnown = body === null || (etag !== null && etag === known?.etag);
    const isOlder = !isKnown && known !== null && body.revision < known.revision;
    if (!isKnown && !(isOlder && (stale || (await this.#isBehind(known, options))))) {
      const secrets = revealed ? (await this.#client.getRuntime({ project, env, at: body.revision }, options)).secrets : {};
      if (options.signal.aborted) return;
      this.#copy = copyOf(body, secrets, etag);
      this.#hooks.loaded(this.#copy);
    }
    if (stale) throw new EnvmError("store_unavailable", { reason: "The engine answers from memory: its store cannot be reached." });
  }

  /**
   * An answer is older than what is known. Where the engine knows our revision too, it is one that came late, and what is known
   * stays: a copy never goes back within one history. Where it does not, the engine itself was set back, and what it says holds.
   */
  async #isBehind({ revision, version }: Copy, options: ReadOptions): Promise<boolean> {
    const { project, env } = this.#options;
    try {
      const entry = await this.#client.getRevision({ project, env, n: revision }, options);
      if (entry.version === version) return true;
    } catch (error) {
      if (!(error instanceof EnvmError) || error.code !== "revision_not_found") throw error;
    }
    this.#hooks.warned(
      new EnvmError("history_replaced", {
        reason: `The engine does not know revision ${revision} of ${env} any more: it was set back to an older backup.`,
        fix: "What it has now is used. Ask whoever restored it what was lost.",
      }),
    );
    return false;
  }
}

/**
 * What waiting does not mend. That a route is missing is no such thing: it is that of the stream, and reads go on. Nor is it that a host is
 * not allowed: it says nothing of the token and the environment, and is mended where the engine, or a proxy, is set up.
 */
const FINAL: ReadonlySet<string> = new Set([
  "unauthorized",
  "forbidden",
  "project_not_found",
  "environment_not_found",
  "environment_archived",
  "environment_expired",
  "invalid_name",
  "invalid_request",
  "invalid_call",
]);

export function isFinal({ code }: EnvmError): boolean {
  return FINAL.has(code);
}

function ended(final: "archived" | "expired", env: string): EnvmError {
  return new EnvmError(`environment_${final}`, {
    reason: `The environment ${JSON.stringify(env)} ${final === "archived" ? "was archived" : "has expired"}.`,
    fix: "Restore it: POST /env/restore. Then connect again.",
  });
}

function asEnvmError(error: unknown): EnvmError {
  return error instanceof EnvmError
    ? error
    : new EnvmError("invalid_answer", { reason: "The engine's answer cannot be used.", cause: error });
}
