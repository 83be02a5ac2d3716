import type { Json } from "../ports.ts";
import { malformed, memberOf, type Remote, type RemoteCall, type RemoteReply, refused, unavailable } from "./remote.ts";

export const SUBJECT = "The KV vault engine";

/** Milliseconds that giving a token back may take at the end. */
const REVOKE_MS = 2_000;
/** Milliseconds from one look at a lease to the next, at most: timers do not reach further than 24 days. */
const RENEW_AT_MOST_MS = 24 * 60 * 60_000;
/** Milliseconds until a lease that could not be renewed is tried again, at least. */
const RENEW_AT_LEAST_MS = 1_000;

export type Kv2Credentials = { readonly token: string } | { readonly roleId: string; readonly secretId: string };

/** Time, for leases and pauses; tests have their own. */
export interface Timers {
  /** Milliseconds since some moment. */
  now(): number;
  /** Runs `work` later, without keeping the process alive; what it returns takes that back. */
  later(work: () => void, ms: number): () => void;
  pause(ms: number): Promise<void>;
}

export const REAL_TIMERS: Timers = {
  now: () => performance.now(),
  later: (work, ms) => {
    const timer = setTimeout(work, ms).unref();
    return () => clearTimeout(timer);
  },
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

interface Lease {
  readonly token: string;
  /** Seconds that it lasts from a renewal on; 0 where it does not end. */
  readonly seconds: number;
  readonly renewable: boolean;
  readonly endsAt: number;
}

/**
 * Whom the vault sees: a given token, or one that is got by AppRole, renewed at two thirds of its lease, got anew where it can be
 * renewed no further, and given back at the end.
 */
export class Kv2Session {
  readonly #remote: Remote;
  readonly #credentials: Kv2Credentials;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timers: Timers;
  #lease: Lease | null = null;
  #login: Promise<string> | null = null;
  #cancel: () => void = () => {};
  /** The vault refused a token, and has taken none since: another one would have too few rights as well. */
  #refused = false;
  #closed = false;

  constructor(remote: Remote, credentials: Kv2Credentials, namespace: string | null, timers: Timers) {
    this.#remote = remote;
    this.#credentials = credentials;
    this.#timers = timers;
    this.#headers = { "x-vault-request": "true", ...(namespace !== null && { "x-vault-namespace": namespace }) };
  }

  /** For every request, whether it needs a token or not. */
  headers(token: string | null): Readonly<Record<string, string>> {
    return token === null ? this.#headers : { ...this.#headers, "x-vault-token": token };
  }

  async token(): Promise<string> {
    if ("token" in this.#credentials) return this.#credentials.token;
    if (this.#lease !== null && (this.#lease.seconds === 0 || this.#timers.now() < this.#lease.endsAt)) return this.#lease.token;
    return this.#logIn();
  }

  /** The vault took a token. */
  accepted(): void {
    this.#refused = false;
  }

  /** The vault does not take `token`, which may have ended. Answers whether there may be another. */
  rejected(token: string): boolean {
    if ("token" in this.#credentials) return false;
    if (this.#lease?.token !== token) return true;
    if (this.#refused) return false;
    this.#refused = true;
    this.#drop();
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const token = this.#lease?.token;
    this.#drop();
    if (token === undefined) return;
    // It ends by itself where the vault cannot be asked.
    await this.#post(["auth", "token", "revoke-self"], { token, timeoutMs: REVOKE_MS }).catch(() => {});
  }

  #drop(): void {
    this.#cancel();
    this.#lease = null;
  }

  /** Once: those who need a token meanwhile wait for the same one. */
  #logIn(): Promise<string> {
    this.#login ??= this.#askForToken().finally(() => {
      this.#login = null;
    });
    return this.#login;
  }

  async #askForToken(): Promise<string> {
    if ("token" in this.#credentials) return this.#credentials.token;
    const { roleId, secretId } = this.#credentials;
    const reply = await this.#post(["auth", "approle", "login"], { json: { role_id: roleId, secret_id: secretId } });
    if (reply.status === 400 || reply.status === 403) {
      throw unavailable(
        SUBJECT,
        "does not take the role and secret id of VAULT_ROLE_ID and VAULT_SECRET_ID",
        "Make a new secret id for the role, and set VAULT_SECRET_ID.",
      );
    }
    return this.#keep(leaseIn(reply, this.#timers.now())).token;
  }

  #keep(lease: Lease): Lease {
    this.#cancel();
    this.#lease = lease;
    if (lease.seconds > 0 && !this.#closed) this.#lookAgain(lease, (lease.seconds * 1_000 * 2) / 3);
    return lease;
  }

  #lookAgain(lease: Lease, ms: number): void {
    const wait = Math.min(ms, RENEW_AT_MOST_MS);
    this.#cancel = this.#timers.later(() => void this.#renew(lease).catch(() => this.#renewLater(lease)), wait);
  }

  /** Nobody waits for it: whoever asks after the end logs in. */
  #renewLater(lease: Lease): void {
    if (this.#closed || this.#lease?.token !== lease.token) return;
    const left = lease.endsAt - this.#timers.now();
    if (left <= RENEW_AT_LEAST_MS) this.#drop();
    else this.#lookAgain(lease, Math.max(RENEW_AT_LEAST_MS, left / 3));
  }

  async #renew(lease: Lease): Promise<void> {
    if (!lease.renewable) return void (await this.#logIn());
    const asked = this.#timers.now();
    const reply = await this.#post(["auth", "token", "renew-self"], { token: lease.token, json: { increment: `${lease.seconds}s` } });
    if (this.#lease?.token !== lease.token) return;
    const renewed = reply.status === 200 ? leaseIn(reply, asked) : null;
    // Less than before: it nears the end of its life, whatever it is asked.
    if (renewed === null || (renewed.seconds > 0 && renewed.seconds < lease.seconds)) await this.#logIn();
    else this.#keep(renewed);
  }

  #post(
    path: readonly string[],
    { token = null, json, timeoutMs }: { token?: string | null; json?: Json; timeoutMs?: number },
  ): Promise<RemoteReply> {
    // Each login makes a token, and uses the secret id up where it has a number of uses: it is not repeated.
    const call: RemoteCall = { method: "POST", headers: this.headers(token), idempotent: false };
    return this.#remote.call(["v1", ...path], {
      ...call,
      ...(json !== undefined && { json }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
  }
}

function leaseIn(reply: RemoteReply, from: number): Lease {
  const doing = "a login";
  if (reply.status !== 200) throw refused(SUBJECT, doing, reply);
  const auth = memberOf(reply.json(), "auth") ?? null;
  const [token, seconds] = [memberOf(auth, "client_token"), memberOf(auth, "lease_duration")];
  if (typeof token !== "string" || token === "" || typeof seconds !== "number" || seconds < 0) throw malformed(SUBJECT, doing, reply);
  return { token, seconds, renewable: memberOf(auth, "renewable") === true, endsAt: from + seconds * 1_000 };
}
