import { AppError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { Json, SecretEntry, Vault } from "../ports.ts";

/** What a vault elsewhere needs of the way to it: `Sibling` in `engines/` is one. */
export interface Remote {
  /** A status below 500 is an answer. @throws AppError `engine_unavailable`, with `details.failure`, and `details.retry_after_ms` where it said when */
  call(path: readonly string[], call: RemoteCall): Promise<RemoteReply>;
  status(): VaultStatus;
  close(): Promise<void>;
}

/** The way to the vault at `url`, which messages call "The `name` engine". @throws AppError where the URL is none */
export type Connect = (name: string, url: string) => Remote;

export interface RemoteCall {
  readonly method: "GET" | "POST" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: Json;
  readonly timeoutMs?: number;
  /** Whether doing it twice does it once. */
  readonly idempotent: boolean;
}

export interface RemoteReply {
  readonly status: number;
  /** Milliseconds after which it may be asked again; `null` where it does not say. */
  retryAfterMs(): number | null;
  /** @throws AppError `engine_unavailable` where the body is not sound JSON */
  json(): Json;
}

/** `degraded`: the newest request failed; `down`: the vault is not asked for a while. `since` is `null` where it was not asked yet. */
export interface VaultStatus {
  readonly status: "ok" | "degraded" | "down";
  readonly since: string | null;
  readonly last_error?: string;
  /** What an operator should do ahead of time, though nothing is wrong yet. */
  readonly notice?: string;
}

/** Entries of a vault elsewhere: what an adapter speaks its protocol for. Fingerprints are made of them. */
export interface RemoteEntries extends Omit<Vault, "fingerprint"> {
  /** What an operator should know of its credentials; `null` where there is nothing to be done. */
  notice(): string | null;
  /** Ends what it holds open, and gives its credentials back. */
  close(): Promise<void>;
}

const FIX = "See whether the vault runs and VAULT_URL leads to it, then try again. GET /readyz says how it does.";

/** `what` is said of `subject` and holds no value; `details.failure` says that it is unknown what became of the request. */
export function unavailable(subject: string, what: string, fix: string = FIX, failure?: unknown): AppError {
  const details = failure === undefined ? {} : { details: { failure } };
  return new AppError("vault_unavailable", { reason: `${subject} ${what}.`, fix, ...details });
}

/** That another engine is away means, here, that the vault is. */
export function asVaultError(error: unknown): unknown {
  if (!(error instanceof AppError) || error.code !== "engine_unavailable") return error;
  return new AppError("vault_unavailable", { reason: error.message, fix: FIX, details: { failure: error.details?.failure } });
}

/** Of a write that failed on its way: what the vault still makes of it is for the sweeper to find. */
export function asWriteError(error: unknown): unknown {
  const failed = asVaultError(error);
  if (!(failed instanceof AppError) || failed.details?.failure === undefined) return failed;
  return new AppError(failed.code, {
    reason: failed.message,
    ...(failed.fix !== undefined && { fix: failed.fix }),
    details: { ...failed.details, vault_write: "unknown" },
  });
}

/** Who asks an answer for a status that its protocol does not know. `doing` names no entry: what failed last is in `/readyz`, for anybody to see. */
export function refused(subject: string, doing: string, { status }: RemoteReply): AppError {
  if (status >= 300 && status <= 399) {
    return unavailable(subject, `answers with a redirect to ${doing}, and redirects are not followed`, "Set VAULT_URL to where it leads.");
  }
  return unavailable(subject, `answers with status ${status} to ${doing}`);
}

/** Of an answer that has the right status and the wrong body: whatever it means, it does not mean that an entry is missing. */
export function malformed(subject: string, doing: string, { status }: RemoteReply): AppError {
  return unavailable(
    subject,
    `answers with status ${status} and an unexpected body to ${doing}`,
    "See whether VAULT_URL and VAULT_KIND fit the vault.",
  );
}

/** The member at the end of `path`; `undefined` where there is none. */
export function memberOf(json: Json, ...path: readonly string[]): Json | undefined {
  let at: Json | undefined = json;
  for (const name of path) at = isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
  return at;
}

/** How a vault elsewhere does: what the way to it knows, and what its answers say. */
export class RemoteHealth {
  readonly #remote: Remote;
  #fault: { readonly since: string; readonly message: string } | null = null;

  constructor(remote: Remote) {
    this.#remote = remote;
  }

  async watch<Result>(work: () => Promise<Result>, asError: (error: unknown) => unknown = asVaultError): Promise<Result> {
    try {
      const result = await work();
      this.#fault = null;
      return result;
    } catch (thrown) {
      const error = asError(thrown);
      if (error instanceof AppError && error.code === "vault_unavailable") {
        this.#fault = { since: this.#fault?.since ?? new Date().toISOString(), message: error.message };
      }
      throw error;
    }
  }

  status(): VaultStatus {
    const seen = this.#remote.status();
    if (this.#fault === null) return seen;
    return { status: seen.status === "ok" ? "degraded" : seen.status, since: this.#fault.since, last_error: this.#fault.message };
  }
}

/** How messages to whoever sent it may name an entry: by the secret's name, which is no secret to them, and its environment. */
export function told({ env, name }: SecretEntry): string {
  return `${name} of ${env}`;
}
