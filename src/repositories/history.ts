import { AppError } from "../errors.ts";
import { documentsOf } from "../heads.ts";
import { auditSeq, keys } from "../keys.ts";
import { LIMITS } from "../limits.ts";
import type { AuditRecord, Revision, RevisionRef } from "../model.ts";
import { checkProject } from "../names.ts";
import type { Hash, Store } from "../ports.ts";
import type { Snapshots } from "../snapshots.ts";
import { type Project, projectNotFound } from "../transaction.ts";
import { type FileEdit, fileEdits } from "./file-edits.ts";

/** A position in a project's audit log, which is the order of its revisions. */
export interface Position {
  readonly seq: number;
  readonly hash: Hash;
}

/** One revision, as a commit is made of it. */
export interface Step {
  readonly revision: Revision;
  /** Whether its version was given here first. */
  readonly makesVersion: boolean;
  /** What its files are told against: the revision before it, or of the first one its base. */
  readonly parent: RevisionRef | null;
  /** The revisions of other environments that went into it. */
  readonly merged: readonly RevisionRef[];
  edits(): AsyncIterable<FileEdit>;
}

export interface HistoryPage extends Position {
  readonly steps: readonly Step[];
}

/** A project's revisions in the order in which they were made, as its audit log has them. */
export class History {
  readonly #store: Store;
  readonly #snapshots: Snapshots;

  readonly #page: number;

  /** `page`: records that are looked at at a time. */
  constructor(store: Store, snapshots: Snapshots, page: number = LIMITS.gitPage) {
    this.#store = store;
    this.#snapshots = snapshots;
    this.#page = page;
  }

  /** The newest record. @throws invalid_name, project_not_found */
  async head(project: string): Promise<Position> {
    checkProject(project);
    const [found] = await documentsOf(this.#store, project).getAll<Project>([keys.project]);
    if (!found) throw projectNotFound(project);
    return found.audit;
  }

  /** Whether this is the history that a position was taken from. */
  async has(project: string, { seq, hash }: Position): Promise<boolean> {
    const [record] = await documentsOf(this.#store, project).getAll<AuditRecord>([keys.audit(seq)]);
    return record?.hash === hash;
  }

  /**
   * What follows a position, up to a bound; `null` where nothing does. `known` says how many revisions each environment had by then:
   * a record of one more made it, others only name it.
   */
  async after(project: string, seq: number, known: (env: string) => number): Promise<HistoryPage | null> {
    const range = { prefix: keys.auditPrefix, from: keys.audit(seq + 1), limit: this.#page };
    const records = (await this.#store.list(project, range)).map(({ key, value }) => ({
      seq: auditSeq(key),
      record: value as unknown as AuditRecord,
    }));
    const last = records.at(-1);
    if (last === undefined) return null;
    const newest = new Map<string, number>();
    const made = records.flatMap(({ record }) => {
      const { environment: env, revision } = record;
      if (env === null || revision === null || revision !== (newest.get(env) ?? known(env)) + 1) return [];
      newest.set(env, revision);
      return [{ record, env, revision }];
    });
    const wanted = made.map(({ env, revision }) => keys.revision(env, revision));
    const revisions = await documentsOf(this.#store, project).getAll<Revision>(wanted);
    const steps = made.map(({ record, env, revision }, index) => {
      const found = revisions[index];
      if (!found) throw broken(project, { env, revision });
      return this.#step(project, found, record.details.new_version === true);
    });
    return { seq: last.seq, hash: last.record.hash, steps };
  }

  #step(project: string, revision: Revision, makesVersion: boolean): Step {
    const { env, revision: number, parents } = revision;
    const others = parents.filter((parent) => parent.env !== env);
    const [base = null, ...more] = others;
    const [parent, merged] = number > 1 ? [{ env, revision: number - 1 }, others] : [base, more];
    return { revision, makesVersion, parent, merged, edits: () => this.#edits(project, revision, parent) };
  }

  async *#edits(project: string, revision: Revision, parent: RevisionRef | null): AsyncGenerator<FileEdit> {
    const [before] =
      parent === null ? [null] : await documentsOf(this.#store, project).getAll<Revision>([keys.revision(parent.env, parent.revision)]);
    if (before === undefined || (before === null && parent !== null)) throw broken(project, parent ?? revision);
    yield* fileEdits(this.#snapshots.read(project), before, revision);
  }
}

function broken(project: string, { env, revision }: RevisionRef): AppError {
  return new AppError("internal_error", {
    reason: `Revision ${revision} of ${env} in project ${project} is in the audit log and nowhere else.`,
    fix: "Whoever runs the engine looks at the store with `npm run store:check`.",
  });
}
