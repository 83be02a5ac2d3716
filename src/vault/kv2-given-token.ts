import { LIMITS } from "../limits.ts";
import { type Lease, leaseIn, leaseOf, type Timers, type TokenRequests } from "./kv2-lease.ts";
import type { Kv2Session } from "./kv2-session.ts";

const NEW_TOKEN = "Make a new token, set VAULT_TOKEN, and start the engine again";

/**
 * The token that the operator gave: looked up once the vault has taken it, and renewed at two thirds of its lease as long as the vault
 * lets it grow. Nobody waits for that. Where it will end whatever is done, `notice` and `warn` say when, ahead of time. It is never
 * given back: it is the operator's.
 */
export class GivenToken implements Kv2Session {
  readonly #token: string;
  readonly #requests: TokenRequests;
  readonly #timers: Timers;
  readonly #warn: (notice: string) => void;
  #known = false;
  #notice: string | null = null;
  #cancel: () => void = () => {};
  #closed = false;

  constructor(token: string, requests: TokenRequests, timers: Timers, warn: (notice: string) => void) {
    this.#token = token;
    this.#requests = requests;
    this.#timers = timers;
    this.#warn = warn;
  }

  async token(): Promise<string> {
    return this.#token;
  }

  accepted(): void {
    if (this.#known || this.#closed) return;
    this.#known = true;
    this.#lookUp();
  }

  rejected(): boolean {
    return false;
  }

  notice(): string | null {
    return this.#notice;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
  }

  #lookUp(): void {
    const asked = this.#timers.now();
    this.#requests.lookUp(this.#token).then(
      (reply) => {
        // The policy `default` allows it, and may be left out.
        if (reply.status === 403) this.#tell("VAULT_TOKEN may not look itself up, so it is not renewed: keep it alive");
        else this.#follow(() => this.#keep(leaseOf(this.#token, reply, asked)));
      },
      () => this.#lookUpLater(),
    );
  }

  #lookUpLater(): void {
    this.#later(LIMITS.vaultLeaseRetryMs, () => this.#lookUp());
  }

  #keep(lease: Lease): void {
    this.#notice = null;
    if (lease.seconds === 0) return;
    const wait = Math.max(0, lease.endsAt - this.#timers.now() - (lease.seconds * 1_000) / 3);
    if (!lease.renewable) this.#tellOfEnd(lease, "cannot be renewed");
    // Timers do not reach further.
    else if (wait > LIMITS.vaultLeaseLookMs) this.#later(LIMITS.vaultLeaseLookMs, () => this.#keep(lease));
    else this.#renewIn(wait, lease);
  }

  #renewIn(ms: number, lease: Lease): void {
    this.#later(ms, () => void this.#renew(lease).catch(() => this.#renewLater(lease)));
  }

  async #renew(lease: Lease): Promise<void> {
    const asked = this.#timers.now();
    const reply = await this.#requests.renew(lease);
    if (reply.status !== 200) return this.#tellOfEnd(lease, "is not renewed by the vault");
    const renewed = leaseIn(reply, asked);
    if (renewed.seconds === 0 || renewed.seconds >= lease.seconds) this.#keep({ ...renewed, token: this.#token });
    else this.#tellOfEnd(renewed, "can be renewed no further");
  }

  #renewLater(lease: Lease): void {
    const left = lease.endsAt - this.#timers.now();
    if (left > 0) this.#renewIn(Math.max(LIMITS.vaultLeaseRetryMs, left / 3), lease);
  }

  #tellOfEnd({ endsAt }: Lease, what: string): void {
    const end = new Date(Date.now() + endsAt - this.#timers.now()).toISOString();
    this.#tell(`VAULT_TOKEN ${what}, and ends at ${end}. ${NEW_TOKEN}`);
  }

  #tell(notice: string): void {
    this.#notice = notice;
    this.#warn(notice);
  }

  /** A reply that cannot be read is asked for again. */
  #follow(work: () => void): void {
    try {
      work();
    } catch {
      this.#lookUpLater();
    }
  }

  #later(ms: number, work: () => void): void {
    if (!this.#closed) this.#cancel = this.#timers.later(work, ms);
  }
}
