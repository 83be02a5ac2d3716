import { AppError } from "../errors.ts";
import { isObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { Json } from "../ports.ts";
import { SUBJECT, type Timers, type TokenRequests } from "./kv2-lease.ts";
import type { Kv2Session } from "./kv2-session.ts";
import { memberOf, type Remote, type RemoteCall, type RemoteReply, unavailable } from "./remote.ts";

type Asked = Omit<RemoteCall, "headers" | "idempotent">;

interface Kv2ClientParts {
  readonly remote: Remote;
  readonly aside: Remote;
  readonly session: Kv2Session;
  readonly requests: TokenRequests;
  readonly timers: Timers;
}

/** Requests to the vault's HTTP API, each with a token, and again where the answer is only about this moment. */
export class Kv2Client {
  readonly #remote: Remote;
  /** Its own way, so that asking a sealed vault whether it is sealed does not count as success. */
  readonly #aside: Remote;
  readonly #session: Kv2Session;
  readonly #requests: TokenRequests;
  readonly #timers: Timers;
  #sealed = false;

  constructor({ remote, aside, session, requests, timers }: Kv2ClientParts) {
    this.#remote = remote;
    this.#aside = aside;
    this.#session = session;
    this.#requests = requests;
    this.#timers = timers;
  }

  /** Its answer; not one that says "later", unless it says so again and again. All that is sent may be repeated. */
  async call(path: readonly string[], call: Asked): Promise<RemoteReply> {
    try {
      for (let attempt = 1; ; attempt += 1) {
        const outcome = await this.#send(path, call).catch((error: unknown) => asLater(error));
        const restMs = "restMs" in outcome ? outcome.restMs : laterMs(outcome);
        if (restMs !== null && restMs <= LIMITS.vaultPatienceMs && attempt < LIMITS.vaultAttempts) {
          await this.#timers.pause(restMs + LIMITS.vaultRetryMs * 2 ** (attempt - 1));
        } else if ("restMs" in outcome) throw outcome.error;
        else return outcome;
      }
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "engine_unavailable") throw error;
      // Asked where it answers with a fault. While it is left alone, it is what it was.
      if (error.details?.failure === "broken") this.#sealed = await this.#isSealed();
      throw this.#sealed ? sealed(error) : error;
    }
  }

  async close(): Promise<void> {
    await this.#session.close();
    await Promise.all([this.#remote.close(), this.#aside.close()]);
  }

  /** A token that has ended is replaced, once. */
  async #send(path: readonly string[], call: Asked): Promise<RemoteReply> {
    for (let again = false; ; again = true) {
      const token = await this.#session.token();
      const reply = await this.#remote.call(["v1", ...path], { ...call, headers: this.#requests.headers(token), idempotent: true });
      this.#sealed = false;
      if (reply.status !== 403) this.#session.accepted();
      else if (!again && this.#session.rejected(token)) continue;
      return reply;
    }
  }

  async #isSealed(): Promise<boolean> {
    try {
      const headers = { "x-vault-request": "true" };
      const call: RemoteCall = { method: "GET", headers, timeoutMs: LIMITS.vaultSealMs, idempotent: false };
      const reply = await this.#aside.call(["v1", "sys", "seal-status"], call);
      return reply.status === 200 && memberOf(reply.json(), "sealed") === true;
    } catch {
      return false;
    }
  }
}

/** What an answer of 400 or more says, in the vault's words: to be looked at, and shown to nobody. */
export function errorsIn(reply: RemoteReply): readonly string[] | null {
  let body: Json;
  try {
    body = reply.json();
  } catch {
    return null;
  }
  const errors = isObject(body) ? body.errors : undefined;
  return Array.isArray(errors) ? errors.filter((text) => typeof text === "string") : null;
}

/** For how long it asks to be left alone where it says "later": too many requests, a replica that lags, or a mount that is being upgraded. */
function laterMs(reply: RemoteReply): number | null {
  const upgrading = () => (errorsIn(reply) ?? []).some((text) => /upgrading from non-versioned/i.test(text));
  const saysLater = reply.status === 429 || reply.status === 412 || (reply.status === 400 && upgrading());
  return saysLater ? (reply.retryAfterMs() ?? 0) : null;
}

/** A request that was not sent, since the vault asked somebody else to come later. @throws any other error */
function asLater(error: unknown): { readonly restMs: number; readonly error: AppError } {
  const restMs = error instanceof AppError ? error.details?.retry_after_ms : undefined;
  if (error instanceof AppError && typeof restMs === "number") return { restMs, error };
  throw error;
}

function sealed({ details }: AppError): AppError {
  return unavailable(
    SUBJECT,
    "is sealed, so that nobody can read or write secrets",
    "Unseal the vault: `vault operator unseal`.",
    details?.failure,
  );
}
