import {
  ErrorCode,
  type EvaluationContext,
  GeneralError,
  type Hook,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  ProviderFatalError,
  type ResolutionDetails,
} from "@openfeature/server-sdk";
import { type ConnectOptions, connectEnvironment, EnvironmentConnection, type Status } from "./connection.ts";
import { EnvmError } from "./errors.ts";
import { isFinal } from "./follower.ts";
import { jsonContext, resolution } from "./resolution.ts";

export interface ProviderOptions {
  /** Run with each evaluation, before and after those of the application. */
  readonly hooks?: Hook[] | undefined;
}

/**
 * OpenFeature's provider of one environment's flags, evaluated in process.
 *
 * @example
 * await OpenFeature.setProviderAndWait(new EnvironmentManagerProvider({ url, token, project: "pf-777", env: "production" }));
 * const on = await OpenFeature.getClient().getBooleanValue("new-checkout", false, { targetingKey: user.id });
 */
export class EnvironmentManagerProvider implements Provider {
  readonly metadata = { name: "environment-manager" } as const;
  readonly runsOn = "server";
  readonly events: OpenFeatureEventEmitter = new OpenFeatureEventEmitter();
  readonly hooks: Hook[];
  readonly #source: EnvironmentConnection | ConnectOptions;
  #connection: EnvironmentConnection | null = null;
  #leave: (() => void)[] = [];

  /** @param source a connection, which stays its owner's to close, or what one is made of when OpenFeature starts the provider */
  constructor(source: EnvironmentConnection | ConnectOptions, { hooks = [] }: ProviderOptions = {}) {
    this.#source = source;
    this.hooks = hooks;
  }

  async initialize(): Promise<void> {
    const source = this.#source;
    const connection = this.#connection ?? (source instanceof EnvironmentConnection ? source : connectEnvironment(source));
    this.#connection = connection;
    try {
      await connection.ready();
    } catch (error) {
      throw initializationError(error);
    } finally {
      // OpenFeature itself says that a provider is ready, or is not: what comes after that is told.
      if (this.#connection === connection) this.#follow(connection);
    }
    // That what it has is not the newest is said after that, too.
    if (connection.status.state === "stale") setTimeout(() => this.#tell(ProviderEvents.Stale), 0);
  }

  async onClose(): Promise<void> {
    this.#unfollow();
    if (this.#connection !== this.#source) this.#connection?.close();
    this.#connection = null;
  }

  async resolveBooleanEvaluation(key: string, fallback: boolean, context: EvaluationContext): Promise<ResolutionDetails<boolean>> {
    return this.#resolve(key, "boolean", fallback, context);
  }

  async resolveStringEvaluation(key: string, fallback: string, context: EvaluationContext): Promise<ResolutionDetails<string>> {
    return this.#resolve(key, "string", fallback, context);
  }

  async resolveNumberEvaluation(key: string, fallback: number, context: EvaluationContext): Promise<ResolutionDetails<number>> {
    return this.#resolve(key, "number", fallback, context);
  }

  async resolveObjectEvaluation<Value extends JsonValue>(
    key: string,
    fallback: Value,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<Value>> {
    return this.#resolve(key, "object", fallback, context);
  }

  #resolve<Value>(key: string, type: "boolean" | "string" | "number" | "object", fallback: Value, context: EvaluationContext) {
    if (this.#connection === null || this.#connection.status.revision === null) {
      const errorMessage = "Nothing has come from the engine yet.";
      return { value: fallback, reason: "ERROR", errorCode: ErrorCode.PROVIDER_NOT_READY, errorMessage };
    }
    return resolution(this.#connection.evaluate(key, jsonContext(context)), type, fallback);
  }

  #unfollow(): void {
    for (const leave of this.#leave.splice(0)) leave();
  }

  #follow(connection: EnvironmentConnection): void {
    this.#unfollow();
    this.#leave = [
      connection.on("ready", () => this.#tell(ProviderEvents.Ready)),
      connection.on("current", () => this.#tell(ProviderEvents.Ready)),
      connection.on("stale", () => this.#tell(ProviderEvents.Stale)),
      connection.on("closed", ({ error }) => error !== null && this.#tell(ProviderEvents.Error)),
      connection.on("changed", ({ flags, version, revision }) => {
        if (flags.length === 0) return;
        this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...flags], eventMetadata: { version, revision } });
      }),
    ];
  }

  #tell(event: ProviderEvents.Ready | ProviderEvents.Stale | ProviderEvents.Error): void {
    const { error, version, revision } = this.#connection?.status ?? ({} as Partial<Status>);
    const details = { ...(error && { message: error.reason }), eventMetadata: { version: version ?? "", revision: revision ?? 0 } };
    this.events.emit(event, event === ProviderEvents.Error ? { ...details, errorCode: ErrorCode.PROVIDER_FATAL } : details);
  }
}

/** What waiting does not mend is fatal: OpenFeature then stops asking. */
function initializationError(error: unknown): Error {
  if (!(error instanceof EnvmError)) return new GeneralError(String(error));
  const message = error.fix === "" ? error.reason : `${error.reason} ${error.fix}`;
  return isFinal(error) ? new ProviderFatalError(message, { cause: error }) : new GeneralError(message, { cause: error });
}
