import type { Json } from "../ports.ts";
import { malformed, memberOf, type Remote, type RemoteCall, type RemoteReply, refused } from "./remote.ts";

export const SUBJECT = "The KV vault engine";

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

export interface Lease {
  readonly token: string;
  /** Seconds that it lasts from a renewal on; 0 where it does not end. */
  readonly seconds: number;
  readonly renewable: boolean;
  readonly endsAt: number;
}

interface TokenRequest {
  readonly token?: string;
  readonly json?: Json;
  readonly timeoutMs?: number;
}

/** What is asked about tokens, and the headers that every request needs. */
export class TokenRequests {
  readonly #remote: Remote;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(remote: Remote, namespace: string | null) {
    this.#remote = remote;
    this.#headers = { "x-vault-request": "true", ...(namespace !== null && { "x-vault-namespace": namespace }) };
  }

  /** For a request with a token, or without one. */
  headers(token: string | undefined): Readonly<Record<string, string>> {
    return token === undefined ? this.#headers : { ...this.#headers, "x-vault-token": token };
  }

  /** Each login makes a token, and uses the secret id up where it has a number of uses: it is not repeated. */
  post(path: readonly string[], { token, json, timeoutMs }: TokenRequest): Promise<RemoteReply> {
    const call: RemoteCall = { method: "POST", headers: this.headers(token), idempotent: false };
    return this.#remote.call(["v1", ...path], {
      ...call,
      ...(json !== undefined && { json }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
  }

  renew({ token, seconds }: Lease): Promise<RemoteReply> {
    return this.post(["auth", "token", "renew-self"], { token, json: { increment: `${seconds}s` } });
  }

  lookUp(token: string): Promise<RemoteReply> {
    return this.#remote.call(["v1", "auth", "token", "lookup-self"], { method: "GET", headers: this.headers(token), idempotent: true });
  }
}

/** What a login or a renewal gave, at the time `from`. */
export function leaseIn(reply: RemoteReply, from: number): Lease {
  const doing = "a login";
  if (reply.status !== 200) throw refused(SUBJECT, doing, reply);
  const auth = memberOf(reply.json(), "auth") ?? null;
  const [token, seconds] = [memberOf(auth, "client_token"), memberOf(auth, "lease_duration")];
  if (typeof token !== "string" || token === "" || typeof seconds !== "number" || seconds < 0) throw malformed(SUBJECT, doing, reply);
  return { token, seconds, renewable: memberOf(auth, "renewable") === true, endsAt: from + seconds * 1_000 };
}

/** What the vault knows of a token, at the time `from`: `creation_ttl` is what it lasts, `ttl` what is left of that. */
export function leaseOf(token: string, reply: RemoteReply, from: number): Lease {
  const doing = "the question how long VAULT_TOKEN lasts";
  if (reply.status !== 200) throw refused(SUBJECT, doing, reply);
  const data = memberOf(reply.json(), "data") ?? null;
  const [left, whole] = [memberOf(data, "ttl"), memberOf(data, "creation_ttl")];
  if (typeof left !== "number" || left < 0) throw malformed(SUBJECT, doing, reply);
  const seconds = left === 0 ? 0 : Math.max(left, typeof whole === "number" ? whole : 0);
  return { token, seconds, renewable: memberOf(data, "renewable") === true, endsAt: from + left * 1_000 };
}
