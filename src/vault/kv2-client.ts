import { AppError } from "../errors.ts";
import type { Json } from "../ports.ts";
import { type Kv2Session, SUBJECT, type Timers } from "./kv2-session.ts";
import { isObject, memberOf, type Remote, type RemoteCall, type RemoteReply, unavailable } from "./remote.ts";

/** Times that a request is sent which the vault asks to be sent again later. */
const ATTEMPTS = 4;
/** Milliseconds before the first repetition; twice as long before each further one. */
const FIRST_PAUSE_MS = 250;
/** Milliseconds that the question may take whether the vault is sealed. */
const SEAL_STATUS_MS = 2_000;

/** Requests to the vault's HTTP API, each with a token, and again where the answer is only about this moment. */
export class Kv2Client {
  readonly #remote: Remote;
  /** Its own way, so that asking a sealed vault whether it is sealed does not count as success. */
  readonly #aside: Remote;
  readonly #session: Kv2Session;
  readonly #timers: Timers;
  #sealed = false;

  constructor(remote: Remote, aside: Remote, session: Kv2Session, timers: Timers) {
    this.#remote = remote;
    this.#aside = aside;
    this.#session = session;
    this.#timers = timers;
  }

  /** Its answer; not one that says "later", unless it says so again and again. All that is sent may be repeated. */
  async call(path: readonly string[], call: Omit<RemoteCall, "headers" | "idempotent">): Promise<RemoteReply> {
    try {
      for (let attempt = 1; ; attempt += 1) {
        const reply = await this.#send(path, call);
        if (!saysLater(reply) || attempt === ATTEMPTS) return reply;
        await this.#timers.pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
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
  async #send(path: readonly string[], call: Omit<RemoteCall, "headers" | "idempotent">): Promise<RemoteReply> {
    for (let again = false; ; again = true) {
      const token = await this.#session.token();
      const reply = await this.#remote.call(["v1", ...path], { ...call, headers: this.#session.headers(token), idempotent: true });
      this.#sealed = false;
      if (reply.status !== 403) this.#session.accepted();
      else if (!again && this.#session.rejected(token)) continue;
      return reply;
    }
  }

  async #isSealed(): Promise<boolean> {
    try {
      const call: RemoteCall = { method: "GET", headers: { "x-vault-request": "true" }, timeoutMs: SEAL_STATUS_MS, idempotent: false };
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

/** Too many requests, a replica that lags, or a mount that is being upgraded. */
function saysLater(reply: RemoteReply): boolean {
  if (reply.status === 429 || reply.status === 412) return true;
  return reply.status === 400 && (errorsIn(reply) ?? []).some((text) => /upgrading from non-versioned/i.test(text));
}

function sealed({ details }: AppError): AppError {
  return unavailable(
    SUBJECT,
    "is sealed, so that nobody can read or write secrets",
    "Unseal the vault: `vault operator unseal`.",
    details?.failure,
  );
}
