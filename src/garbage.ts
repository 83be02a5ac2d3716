import { mayDoLittle } from "./callers.ts";
import { documentsOf } from "./heads.ts";
import { keys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { EMPTY_ROOT, type NodeSource, reachable } from "./merkle/index.ts";
import type { AuditRecord, Caller, Snapshot } from "./model.ts";
import type { Hash, Key, Store } from "./ports.ts";
import { Retention } from "./retention.ts";
import { documentPages, objectPages, storedObjects, turn } from "./scan.ts";
import type { Secrets } from "./secrets.ts";
import { isAhead } from "./store-clock.ts";
import { revisionsNamed, Watermark } from "./watermark.ts";

/** Who collects, in audit records. */
const COLLECTOR: Caller = mayDoLittle("engine", "collect");

/** How much one run took away. */
interface Collected {
  /** Objects that nothing referred to. */
  readonly objects: number;
  /** Answers to requests with an idempotency key, kept long enough. */
  readonly answers: number;
  /** Vault entries that no rollback may ask for any more. */
  readonly secrets: number;
  /** Archived environments that cannot be brought back any more. */
  readonly environments: number;
}

const NOTHING: Collected = { objects: 0, answers: 0, secrets: 0, environments: 0 };

/**
 * Takes away what no revision, label or head needs. Runs beside any writer, on any number of instances; killed at any moment
 * it leaves nothing half done, and the next run does the rest.
 *
 * Objects are marked and swept. Why that takes nothing that somebody is about to refer to:
 *
 * - A reference that was there before the mark began is marked. One that comes while it goes on, or after, is in a revision
 *   that an audit record names, and is marked before the sweep's commit: see `Watermark`.
 * - A writer may be about to commit a reference to an object that nothing refers to yet: because it has put the object ahead of
 *   its commit, or because it made the content of an old object anew. Its transaction has read `gc/epoch`, which the
 *   sweep's commit changes. So either it commits first, and its record stops the sweep, or the sweep does, and the writer
 *   runs again. It then puts again whatever it made, since an edit stores every node and value that its old root does not
 *   hold; and what its old root holds is marked, as is what it carries over from another revision. The lost commit of a writer that gives up leaves objects, younger than
 *   a day, for another run.
 * - That nothing younger than LIMITS.garbageAgeMs is taken keeps writers from having to run again: objects that are put ahead
 *   of a commit are young.
 * - A collector that meets another's commit loses to it as a writer does. Deleting twice is deleting once.
 * - An object that is missing or damaged ends the run with an error before anything is deleted: what lay below it is unknown.
 */
export class Garbage {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #retention: Retention;

  constructor(store: Store, ledger: Ledger, secrets: Secrets) {
    this.#store = store;
    this.#ledger = ledger;
    this.#retention = new Retention(store, ledger, secrets, COLLECTOR);
  }

  /** `collectNow`, where neither this instance nor another has done so within LIMITS.garbageEveryMs; costs one read otherwise. */
  async collect(project: string): Promise<Collected> {
    const [[entry], now] = await Promise.all([this.#store.get(project, [keys.gcRun]), this.#store.now()]);
    const last = (entry?.value as { readonly at: string } | undefined)?.at;
    if (last !== undefined && isAhead(Date.parse(last) + LIMITS.garbageEveryMs, LIMITS.garbageEveryMs, now.getTime())) return NOTHING;
    const { ok } = await this.#store.commit(project, {
      checks: [{ key: keys.gcRun, revision: entry?.revision ?? null }],
      puts: [{ key: keys.gcRun, value: { at: now.toISOString() } }],
      deletes: [],
      objects: [],
      objectDeletes: [],
    });
    return ok ? this.collectNow(project) : NOTHING;
  }

  /** Goes over one project. What did not fit into one run (LIMITS.garbageItems), or lost too many races, stays for the next. */
  async collectNow(project: string): Promise<Collected> {
    const answers = await this.#collectAnswers(project);
    const objects = await this.#collectObjects(project);
    // Last, because it needs the vault, which may be out of reach.
    return { objects, answers, ...(await this.#retention.collect(project)) };
  }

  async #collectAnswers(project: string): Promise<number> {
    const now = (await this.#store.now()).toISOString();
    let taken = 0;
    // Smaller pages: an answer may be as large as a plan.
    for await (const page of documentPages(this.#store, project, keys.oncePrefix, LIMITS.garbageBatch / 10)) {
      const old = page.filter(({ value }) => isOutdated(value as unknown as Answer, now)).map(({ key }) => key);
      if (old.length > 0) taken += await this.#deleteAnswers(project, old);
      if (taken >= LIMITS.garbageItems) break;
    }
    return taken;
  }

  /** The same key may have come with a new request meanwhile. */
  #deleteAnswers(project: string, old: readonly Key[]): Promise<number> {
    return this.#ledger.write(project, COLLECTOR, async (tx) => {
      const answers = await tx.getAll<Answer>(old);
      const outdated = old.filter((_, index) => {
        const answer = answers[index];
        return answer !== null && answer !== undefined && isOutdated(answer, tx.clock);
      });
      for (const key of outdated) tx.delete(key);
      return outdated.length;
    });
  }

  async #collectObjects(project: string): Promise<number> {
    const before = (await this.#store.now()).getTime() - LIMITS.garbageAgeMs;
    const watermark = await Watermark.at(this.#store, project);
    if (watermark === null) return 0;
    const mark = new Mark(this.#store, project);
    await mark.everything();
    let batch: Hash[] = [];
    let taken = 0;
    const sweep = async (): Promise<boolean> => {
      let swept: readonly Hash[] = [];
      const done = await watermark.commit(
        (records) => mark.news(records),
        async () => {
          swept = batch.filter((hash) => !mark.has(hash));
          return swept.length === 0 ? null : { objectDeletes: swept };
        },
      );
      if (done) taken += swept.length;
      batch = [];
      return done && taken < LIMITS.garbageItems;
    };
    for await (const page of objectPages(this.#store, project)) {
      for (const { hash, storedAt } of page) {
        if (storedAt >= before || mark.has(hash)) continue;
        batch.push(hash);
        if (batch.length === LIMITS.garbageBatch && !(await sweep())) return taken;
      }
    }
    if (batch.length > 0) await sweep();
    return taken;
  }
}

/** The part of the document `once/<id>` that says how old it is. */
interface Answer {
  readonly at: string;
}

function isOutdated({ at }: Answer, now: string): boolean {
  return Date.parse(at) + LIMITS.onceMs <= Date.parse(now);
}

/**
 * The objects that a project needs: about 150 bytes of memory for each. A promotion that waits names revisions and vault
 * entries, never roots: what it would bring is made when it is applied.
 */
class Mark {
  readonly #store: Store;
  readonly #project: string;
  readonly #source: NodeSource;
  readonly #marked = new Set<Hash>();

  constructor(store: Store, project: string) {
    this.#store = store;
    this.#project = project;
    this.#source = storedObjects(store, project);
  }

  has(hash: Hash): boolean {
    return this.#marked.has(hash);
  }

  async everything(): Promise<void> {
    for (const prefix of [keys.environmentPrefix, keys.labelPrefix, keys.revisionsPrefix, keys.pulledPrefix]) {
      for await (const page of documentPages(this.#store, this.#project, prefix)) {
        for (const { value } of page) await this.#snapshot(value as unknown as Partial<Snapshot>);
      }
    }
  }

  async news(records: readonly AuditRecord[]): Promise<void> {
    const revisions = revisionsNamed(records).map(({ env, revision }) => keys.revision(env, revision));
    // What a commit held that was pulled is kept for the next pull, though no revision may have it as it was.
    const pulled = new Set(records.flatMap(({ environment }) => (environment === null ? [] : [keys.pulled(environment)])));
    for (const found of await documentsOf(this.#store, this.#project).getAll<Snapshot>([...revisions, ...pulled])) {
      if (found !== null) await this.#snapshot(found);
    }
  }

  /** A label has no config. */
  async #snapshot({ platform, config }: Partial<Snapshot>): Promise<void> {
    for (const root of [platform, config]) if (root !== undefined) await this.#tree(root);
  }

  async #tree(root: Hash): Promise<void> {
    if (root === EMPTY_ROOT || this.#marked.has(root)) return;
    for await (const hashes of reachable(this.#source, root, { skip: (hash) => this.#marked.has(hash) })) {
      for (const hash of hashes) this.#marked.add(hash);
      await turn();
    }
  }
}
