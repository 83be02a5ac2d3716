import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { AuditRecord } from "./model.ts";
import type { Change, Check, Store } from "./ports.ts";
import type { Project } from "./transaction.ts";

/** What a decision does to the project, made of what is known at the moment of its commit; `null` for nothing. */
export type Decide = () => Promise<Partial<Pick<Change, "puts" | "deletes" | "objectDeletes">> | null>;

/** Told of what was recorded since it was last told, oldest first. */
type Mind = (records: readonly AuditRecord[]) => Promise<void>;

/**
 * Lets a decision that takes many reads be committed as if all of them had been made in one moment, beside any writer and
 * without holding one up.
 *
 * Every commit that makes a document refer to an object or to a vault entry writes an audit record, and with it the document
 * `project`. So a decision begins with a watermark (the number of the newest record), then reads at leisure, then hears
 * of the records that came since, which name the revisions that are new, and then commits under the condition that no further
 * one came: a check of the revision of `project`. Where one came after all it hears of that one too and tries again;
 * each attempt is short, because it looks at what is new alone.
 *
 * The commit also puts `gc/epoch`, which every writer read when its transaction began and checks in its commit. A writer that
 * began before therefore loses its race, and runs again from the start on what is left: it stores anew whatever it makes, and
 * meets none of what is gone.
 */
export class Watermark {
  readonly #store: Store;
  readonly #project: string;
  #seq: number;
  #checks: readonly Check[] = [];

  private constructor(store: Store, project: string, seq: number) {
    this.#store = store;
    this.#project = project;
    this.#seq = seq;
  }

  /** `null` where there is no such project. */
  static async at(store: Store, project: string): Promise<Watermark | null> {
    const [entry] = await store.get(project, [keys.project]);
    return entry ? new Watermark(store, project, (entry.value as unknown as Project).audit.seq) : null;
  }

  /**
   * Commits what `decide` returns, after `mind` has heard of everything that was recorded up to the commit. `false` where
   * writers were faster LIMITS.commitAttempts times, and nothing was done. May be called again, with further decisions.
   * @throws what the store throws: then it is unknown whether it was done, and doing it again does no harm.
   */
  async commit(mind: Mind, decide: Decide): Promise<boolean> {
    for (let attempt = 1; attempt <= LIMITS.commitAttempts; attempt++) {
      await this.#advance(mind);
      const decided = await decide();
      if (decided === null) return true;
      const { puts = [], deletes = [], objectDeletes = [] } = decided;
      const epoch = { key: keys.gcEpoch, value: { seq: this.#seq } };
      const change: Change = { checks: this.#checks, puts: [epoch, ...puts], deletes, objects: [], objectDeletes };
      if ((await this.#store.commit(this.#project, change)).ok) return true;
    }
    return false;
  }

  async #advance(mind: Mind): Promise<void> {
    const wanted = [keys.project, keys.gcEpoch];
    const entries = await this.#store.get(this.#project, wanted);
    const newest = (entries[0]?.value as unknown as Project | undefined)?.audit.seq;
    if (newest === undefined) throw new Error(`the project ${this.#project} is gone`);
    while (this.#seq < newest) await this.#hear(mind, newest);
    this.#checks = wanted.map((key, index) => ({ key, revision: entries[index]?.revision ?? null }));
  }

  async #hear(mind: Mind, newest: number): Promise<void> {
    const range = { prefix: keys.auditPrefix, from: keys.audit(this.#seq + 1), before: keys.audit(newest + 1), limit: LIMITS.pageItems };
    const records = (await this.#store.list(this.#project, range)).map(({ value }) => value as unknown as AuditRecord);
    // A record that somebody took away may have told of a reference: then nothing may be deleted.
    const gap = records.findIndex(({ seq }, index) => seq !== this.#seq + 1 + index);
    if (gap >= 0 || records.length === 0)
      throw new Error(`audit record ${this.#seq + 1 + Math.max(gap, 0)} of ${this.#project} is missing`);
    await mind(records);
    this.#seq += records.length;
  }
}

/** The revisions that records name, each once. */
export function revisionsNamed(
  records: readonly AuditRecord[],
  env?: string,
): readonly { readonly env: string; readonly revision: number }[] {
  const named = new Map<string, { env: string; revision: number }>();
  for (const { environment, revision } of records) {
    if (environment === null || revision === null || (env !== undefined && environment !== env)) continue;
    named.set(keys.revision(environment, revision), { env: environment, revision });
  }
  return [...named.values()];
}
