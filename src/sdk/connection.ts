import { compileFlags, type Evaluation, type FlagSet } from "../flagd/index.ts";
import { BOUNDS } from "./bounds.ts";
import { createClient } from "./client.ts";
import { type Change, type Copy, changeBetween, isNews, own } from "./copy.ts";
import { Emitter } from "./emitter.ts";
import { EnvmError } from "./errors.ts";
import { Follower, isFinal, type Updates } from "./follower.ts";
import { type Keeping, KeptCopy } from "./keeping.ts";
import type { TransportOptions } from "./transport.ts";

export interface ConnectOptions extends TransportOptions {
  readonly project: string;
  readonly env: string;
  /** Reads secret values too. Needs a token with `secrets:reveal`; the engine audits each read. */
  readonly secrets?: boolean | undefined;
  /** Keeps the last known good copy, sealed, for a start while the engine is away. */
  readonly persist?: Keeping | undefined;
  /** Called with each new revision. */
  readonly onChange?: ((change: Change) => void) | undefined;
  /** Milliseconds that `ready()` waits for the engine: 10,000 where not given. */
  readonly readyTimeoutMs?: number | undefined;
  /** Milliseconds that one request may take: as long as `ready()` waits where not given. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds between two reads where no stream can be had: 30,000 where not given. */
  readonly pollMs?: number | undefined;
  /** Milliseconds without a sign of life after which a stream is given up: 45,000 where not given. */
  readonly silenceMs?: number | undefined;
  /** `false`: reads every `pollMs`, without a stream. */
  readonly stream?: boolean | undefined;
}

/**
 * `connecting`: nothing has come yet. `current`: the head's, as of now. `stale`: the last that was known; the engine is away.
 * `closed`: it is not kept any more, since it was closed, or the environment or the token has ended.
 */
export type State = "connecting" | "current" | "stale" | "closed";

export interface Status {
  readonly state: State;
  /** When the copy was last known to be the head's. */
  readonly since: Date | null;
  /** Milliseconds since then. */
  readonly ageMs: number | null;
  readonly version: string | null;
  readonly revision: number | null;
  /** Where the copy came from: the engine, or what was kept. */
  readonly source: "engine" | "kept" | null;
  /** How news comes; `null` while it does not. */
  readonly updates: Updates | null;
  /** Why it is stale or closed. */
  readonly error: EnvmError | null;
}

export interface ConnectionEvents {
  /** There is something to read. */
  ready: Status;
  changed: Change;
  stale: Status;
  current: Status;
  /** News come another way than before: `updates` says which. */
  updates: Status;
  /** Once, whatever the reason; `error` is `null` where `close()` was called. */
  closed: Status;
  /** What went wrong beside: a copy that could not be kept or opened, a history that was replaced. */
  error: EnvmError;
}

const NO_FLAGS = compileFlags({});

/** One environment, kept current. Made by `connectEnvironment`. */
export class EnvironmentConnection {
  readonly project: string;
  readonly env: string;
  readonly #emitter = new Emitter<ConnectionEvents>();
  readonly #leave = new AbortController();
  readonly #follower: Follower;
  readonly #kept: KeptCopy | null;
  readonly #ready: Promise<void>;
  #settle: { resolve(): void; reject(error: EnvmError): void } = { resolve() {}, reject() {} };
  #copy: Copy | null = null;
  #flags: FlagSet = NO_FLAGS;
  #state: State = "connecting";
  #since: number | null = null;
  #source: Status["source"] = null;
  #updates: Updates | null = null;
  #error: EnvmError | null = null;
  #keeping: Promise<void> | undefined;
  #keptRead: Promise<void> | undefined;
  #readyTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectOptions) {
    const { project, env, persist, secrets = false, stream = true, pollMs = BOUNDS.pollMs, silenceMs = BOUNDS.silenceMs } = options;
    const { readyTimeoutMs = BOUNDS.readyMs, timeoutMs = readyTimeoutMs, token = "" } = options;
    this.project = project;
    this.env = env;
    const client = createClient(options);
    const key = persist?.key ?? token;
    const about = [client.url, project, env];
    this.#kept = persist === undefined ? null : new KeptCopy(persist.store, key, about);
    this.#ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever never asks whether it is ready is not told so by a crash.
    this.#ready.catch(() => undefined);
    if (options.onChange !== undefined) this.on("changed", options.onChange);
    const renewsToken = typeof token === "function";
    this.#follower = new Follower(client, { project, env, secrets, timeoutMs, silenceMs, pollMs, stream, renewsToken }, this.#hooks());
    this.#readyTimer = setTimeout(() => void this.#overdue(readyTimeoutMs), Math.min(readyTimeoutMs, BOUNDS.timerMs));
    void this.#follower.run(this.#leave.signal);
  }

  /**
   * Resolves when there is something to read: what the engine has, or what was kept where the engine is away.
   * @throws timeout, unauthorized, environment_not_found and so on, where there is neither
   */
  async ready(): Promise<this> {
    // Whoever asks again after it took too long is told what is the case now.
    if (this.#copy === null) await this.#ready;
    return this;
  }

  get status(): Status {
    return {
      state: this.#state,
      since: this.#since === null ? null : new Date(this.#since),
      ageMs: this.#since === null ? null : Math.max(0, Date.now() - this.#since),
      version: this.#copy?.version ?? null,
      revision: this.#copy?.revision ?? null,
      source: this.#source,
      updates: this.#updates,
      error: this.#error,
    };
  }

  /** All of one revision, for reads that belong together. It never changes: a new revision is a new copy. @throws not_ready */
  get copy(): Copy {
    if (this.#copy !== null) return this.#copy;
    throw this.#error ?? new EnvmError("not_ready", { reason: "Nothing has come from the engine yet.", fix: "Wait for `ready()` first." });
  }

  get vars(): Copy["vars"] {
    return this.copy.vars;
  }

  get secrets(): Copy["secrets"] {
    return this.copy.secrets;
  }

  /** A var, or `undefined` where it is not set. */
  var(name: string): string | undefined {
    return own(this.copy.vars, name);
  }

  /** A secret's value, of a connection with `secrets: true`; `undefined` where it is not set. */
  secret(name: string): string | undefined {
    return own(this.copy.secrets, name);
  }

  /** A flag's value for a context, with why; never throws. */
  evaluate(key: string, context: EvaluationContext = {}): Evaluation {
    return this.#flags.evaluate(key, context);
  }

  /** Every flag's. */
  evaluateAll(context: EvaluationContext = {}): readonly Evaluation[] {
    return this.#flags.evaluateAll(context);
  }

  /** A flag's value for a context; `fallback` where there is none of its type. */
  value(key: string, fallback: boolean, context?: EvaluationContext): boolean;
  value(key: string, fallback: string, context?: EvaluationContext): string;
  value(key: string, fallback: number, context?: EvaluationContext): number;
  value<Value extends FlagObject>(key: string, fallback: Value, context?: EvaluationContext): Value;
  value(key: string, fallback: unknown, context: EvaluationContext = {}): unknown {
    const evaluation = this.#flags.evaluate(key, context);
    const value = "errorCode" in evaluation ? undefined : evaluation.value;
    return value !== undefined && value !== null && typeof value === typeof fallback ? value : fallback;
  }

  /** @returns what ends it */
  on<Name extends keyof ConnectionEvents>(name: Name, listener: (event: ConnectionEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Resolves when the newest copy is kept, where `persist` was given. What goes wrong is told by the event `error`. */
  async kept(): Promise<void> {
    await this.#keeping;
  }

  /** Leaves the engine alone from now on. What was read can still be read. */
  close(): void {
    this.#close(null);
  }

  #hooks() {
    return {
      loaded: (copy: Copy) => this.#adopt(copy, "engine", Date.now()),
      confirmed: (by: Updates) => this.#confirm(by),
      interrupted: () => this.#updateBy(null),
      lost: (error: EnvmError) => this.#lose(error),
      ended: (error: EnvmError) => this.#close(error),
      warned: (error: EnvmError) => this.#emitter.emit("error", error),
    };
  }

  #adopt(copy: Copy, source: "engine" | "kept", since: number): void {
    const before = this.#copy;
    this.#copy = copy;
    this.#flags = compileFlags(copy.flags, { evaluators: copy.evaluators, metadata: copy.flagMetadata });
    this.#source = source;
    this.#since = since;
    this.#become(source === "engine" ? "current" : "stale");
    if (source === "engine") this.#keep(copy);
    if (before !== null) {
      const change = changeBetween(before, copy);
      if (isNews(before, change)) this.#emitter.emit("changed", change);
      return;
    }
    clearTimeout(this.#readyTimer);
    this.#settle.resolve();
    this.#emitter.emit("ready", this.status);
    if (source === "kept") this.#emitter.emit("stale", this.status);
  }

  #confirm(by: Updates): void {
    if (this.#state === "closed") return;
    this.#since = Date.now();
    this.#source = "engine";
    this.#become("current");
    this.#updateBy(by);
  }

  /** Told where something was there to read before. */
  #become(state: "current" | "stale"): void {
    if (this.#state === "closed" || this.#state === state) return;
    const told = this.#state !== "connecting";
    this.#state = state;
    if (state === "current") this.#error = null;
    if (told) this.#emitter.emit(state, this.status);
  }

  #lose(error: EnvmError): void {
    if (this.#state === "closed") return;
    this.#error = error;
    this.#updateBy(null);
    if (this.#copy !== null) this.#become("stale");
    else if (!isFinal(error)) void this.#startFromKept();
  }

  #updateBy(updates: Updates | null): void {
    if (this.#state === "closed" || this.#updates === updates) return;
    this.#updates = updates;
    this.#emitter.emit("updates", this.status);
  }

  /** Nothing has come in time: what was kept is better than nothing. */
  async #overdue(ms: number): Promise<void> {
    const { code, reason, fix } = this.#error ?? {
      code: "timeout",
      reason: "It does not answer.",
      fix: "Check the address, and whether the engine runs.",
    };
    const overdue = new EnvmError("timeout", { reason: `Nothing came from the engine within ${ms} ms. ${reason}`, fix, details: { code } });
    this.#error ??= overdue;
    if (!isFinal(this.#error)) await this.#startFromKept();
    if (this.#copy === null) this.#settle.reject(overdue);
  }

  /** Once: what cannot be opened now cannot be opened later. */
  #startFromKept(): Promise<void> {
    this.#keptRead ??= this.#readKept();
    return this.#keptRead;
  }

  async #readKept(): Promise<void> {
    try {
      const kept = (await this.#kept?.read()) ?? null;
      if (kept === null || this.status.state === "closed" || !this.#follower.start(kept.copy)) return;
      this.#adopt(kept.copy, "kept", kept.at.getTime());
    } catch (error) {
      if (error instanceof EnvmError) this.#emitter.emit("error", error);
    }
  }

  #keep(copy: Copy): void {
    this.#keeping = this.#kept?.keep(copy).catch((error: unknown) => {
      if (error instanceof EnvmError) this.#emitter.emit("error", error);
    });
  }

  #close(error: EnvmError | null): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#error = error;
    this.#updates = null;
    clearTimeout(this.#readyTimer);
    this.#leave.abort();
    this.#settle.reject(error ?? new EnvmError("aborted", { reason: "The connection was closed." }));
    this.#emitter.emit("closed", this.status);
  }
}

/** What flags are evaluated for: who asks (`targetingKey`), and anything that rules look at. */
export type EvaluationContext = Parameters<FlagSet["evaluate"]>[1];

/** What a flag with structured values holds. */
export type FlagObject = Readonly<Record<string, unknown>> | readonly unknown[];
export type { Evaluation };

/**
 * Connects to one environment: vars, flags and, where asked for, secrets are read in process from a copy that the engine's stream
 * keeps current. While the engine is away the last copy goes on being used, and `status` says so.
 *
 * @throws invalid_call where the address or the headers cannot be used
 *
 * @example
 * const environment = await connectEnvironment({ url, token, project: "pf-777", env: "production" }).ready();
 * if (environment.value("new-checkout", false, { targetingKey: user.id })) { … }
 */
export function connectEnvironment(options: ConnectOptions): EnvironmentConnection {
  return new EnvironmentConnection(options);
}
