import { randomBytes } from "node:crypto";
import { SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Json, Store } from "./ports.ts";
import { isAhead } from "./store-clock.ts";

/** The document `lease/<work>` of `_system`. */
interface LeaseDocument {
  /** Who does the work, and until when nobody else does; `null` where nobody does. */
  readonly holder: { readonly instance: string; readonly until: string } | null;
  /** When it was last done to its end. */
  readonly done_at: string | null;
}

interface Held {
  readonly document: LeaseDocument;
  /** What the next commit of the lease checks: whoever was thought dead cannot prolong what somebody else has by now. */
  revision: number;
}

/**
 * Has the engine's own work done by one instance at a time. A lease keeps others from doing the same in vain; it is not what makes the
 * work safe: an instance that stood still while its lease ran out, and goes on as if it had it, must do no harm. So everything that is
 * done under one is a commit that checks what it rests on.
 *
 * On a store that one engine has to itself there is nobody to be kept from it, and leases cost nothing.
 */
export class Leases {
  readonly #store: Store;
  /** Names this instance; `null` where there is no other. */
  readonly #instance: string | null;

  constructor(store: Store, instance: string | null) {
    this.#store = store;
    this.#instance = instance;
  }

  /**
   * Does the work, unless another instance does it at the moment, or it was done less than `everyMs` ago. It is told by a signal when
   * the lease was lost: then it need not go on. Work that answers `false` was not done to its end: another instance may begin at once.
   * @returns whether it was begun
   */
  async alone(
    work: string,
    { everyMs = 0 }: { readonly everyMs?: number },
    run: (lost: AbortSignal) => Promise<unknown>,
  ): Promise<boolean> {
    const lost = new AbortController();
    if (this.#instance === null) {
      await run(lost.signal);
      return true;
    }
    const held = await this.#take(work, this.#instance, everyMs);
    if (held === null) return false;
    let renewing: Promise<unknown> = Promise.resolve();
    const renew = async () => {
      if (!(await this.#put(work, held, await this.#holder(this.#instance ?? "")))) lost.abort();
    };
    const timer = setInterval(() => {
      // A store that is away says nothing of who has the lease.
      renewing = renewing.then(renew).catch(() => {});
    }, LIMITS.workLeaseMs / 3).unref();
    let isDone = false;
    try {
      isDone = (await run(lost.signal)) !== false;
    } finally {
      clearInterval(timer);
      await renewing;
      // Where this fails it ends by itself.
      if (!lost.signal.aborted) await this.#release(work, held, isDone).catch(() => {});
    }
    return true;
  }

  async #take(work: string, instance: string, everyMs: number): Promise<Held | null> {
    const key = systemKeys.lease(work);
    const [[entry], now] = await Promise.all([this.#store.get(SYSTEM_PARTITION, [key]), this.#store.now()]);
    const document = (entry?.value as unknown as LeaseDocument | undefined) ?? { holder: null, done_at: null };
    const { holder, done_at } = document;
    const isToCome = (until: number, longestMs: number) => isAhead(until, longestMs, now.getTime());
    const isHeld = holder !== null && holder.instance !== instance && isToCome(Date.parse(holder.until), LIMITS.workLeaseMs);
    if (isHeld || (done_at !== null && isToCome(Date.parse(done_at) + everyMs, everyMs))) return null;
    const held: Held = { document, revision: entry?.revision ?? 0 };
    return (await this.#put(work, held, holderAt(instance, now))) ? held : null;
  }

  async #release(work: string, held: Held, isDone: boolean): Promise<void> {
    await this.#put(work, held, { holder: null, ...(isDone && { done_at: (await this.#store.now()).toISOString() }) });
  }

  async #holder(instance: string): Promise<Partial<LeaseDocument>> {
    return holderAt(instance, await this.#store.now());
  }

  async #put(work: string, held: Held, changed: Partial<LeaseDocument>): Promise<boolean> {
    const key = systemKeys.lease(work);
    const result = await this.#store.commit(SYSTEM_PARTITION, {
      checks: [{ key, revision: held.revision === 0 ? null : held.revision }],
      puts: [{ key, value: { ...held.document, ...changed } as unknown as Json }],
      deletes: [],
      objects: [],
      objectDeletes: [],
    });
    if (result.ok) held.revision = result.revision;
    return result.ok;
  }
}

/** A name that no other instance has, nor this one after its next start. */
export function instanceName(): string {
  return randomBytes(9).toString("base64url");
}

function holderAt(instance: string, now: Date): Partial<LeaseDocument> {
  return { holder: { instance, until: new Date(now.getTime() + LIMITS.workLeaseMs).toISOString() } };
}
