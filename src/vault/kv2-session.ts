import { LIMITS } from "../limits.ts";
import { GivenToken } from "./kv2-given-token.ts";
import { type Lease, leaseIn, SUBJECT, type Timers, type TokenRequests } from "./kv2-lease.ts";
import { unavailable } from "./remote.ts";

export type Kv2Credentials = { readonly token: string } | AppRoleCredentials;
interface AppRoleCredentials {
  readonly roleId: string;
  readonly secretId: string;
}

/** Whom the vault sees. */
export interface Kv2Session {
  /** @throws AppError `vault_unavailable` where there is none to be had */
  token(): Promise<string>;
  /** The vault took a token. */
  accepted(): void;
  /** The vault does not take `token`, which may have ended. Answers whether there may be another. */
  rejected(token: string): boolean;
  /** What an operator should know of the token; `null` where there is nothing to be done. */
  notice(): string | null;
  close(): Promise<void>;
}

/** `warn` hears of what `notice` says when it begins. */
export function sessionWith(
  credentials: Kv2Credentials,
  requests: TokenRequests,
  timers: Timers,
  warn: (notice: string) => void,
): Kv2Session {
  if ("token" in credentials) return new GivenToken(credentials.token, requests, timers, warn);
  return new AppRole(credentials, requests, timers);
}

/** A token that is got by AppRole, renewed at two thirds of its lease, got anew where it can be renewed no further, and given back. */
class AppRole implements Kv2Session {
  readonly #credentials: AppRoleCredentials;
  readonly #requests: TokenRequests;
  readonly #timers: Timers;
  #lease: Lease | null = null;
  #login: Promise<string> | null = null;
  #cancel: () => void = () => {};
  /** The vault refused a token, and has taken none since: another one would have too few rights as well. */
  #refused = false;
  #closed = false;

  constructor(credentials: AppRoleCredentials, requests: TokenRequests, timers: Timers) {
    this.#credentials = credentials;
    this.#requests = requests;
    this.#timers = timers;
  }

  async token(): Promise<string> {
    if (this.#lease !== null && (this.#lease.seconds === 0 || this.#timers.now() < this.#lease.endsAt)) return this.#lease.token;
    return this.#logIn();
  }

  accepted(): void {
    this.#refused = false;
  }

  rejected(token: string): boolean {
    if (this.#lease?.token !== token) return true;
    if (this.#refused) return false;
    this.#refused = true;
    this.#drop();
    return true;
  }

  notice(): null {
    return null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const token = this.#lease?.token;
    this.#drop();
    if (token === undefined) return;
    // It ends by itself where the vault cannot be asked.
    await this.#requests.post(["auth", "token", "revoke-self"], { token, timeoutMs: LIMITS.vaultRevokeMs }).catch(() => {});
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
    const { roleId, secretId } = this.#credentials;
    const reply = await this.#requests.post(["auth", "approle", "login"], { json: { role_id: roleId, secret_id: secretId } });
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
    const wait = Math.min(ms, LIMITS.vaultLeaseLookMs);
    this.#cancel = this.#timers.later(() => void this.#renew(lease).catch(() => this.#renewLater(lease)), wait);
  }

  /** Nobody waits for it: whoever asks after the end logs in. */
  #renewLater(lease: Lease): void {
    if (this.#closed || this.#lease?.token !== lease.token) return;
    const left = lease.endsAt - this.#timers.now();
    if (left <= LIMITS.vaultLeaseRetryMs) this.#drop();
    else this.#lookAgain(lease, Math.max(LIMITS.vaultLeaseRetryMs, left / 3));
  }

  async #renew(lease: Lease): Promise<void> {
    if (!lease.renewable) return void (await this.#logIn());
    const asked = this.#timers.now();
    const reply = await this.#requests.renew(lease);
    if (this.#lease?.token !== lease.token) return;
    const renewed = reply.status === 200 ? leaseIn(reply, asked) : null;
    // Less than before: it nears the end of its life, whatever it is asked.
    if (renewed === null || (renewed.seconds > 0 && renewed.seconds < lease.seconds)) await this.#logIn();
    else this.#keep(renewed);
  }
}
