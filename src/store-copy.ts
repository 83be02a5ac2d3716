import { type CopyCounts, copyPass, digestOf } from "./copy-pass.ts";
import { readCopied, readState, writeCopied, writeState } from "./copy-state.ts";
import { AppError } from "./errors.ts";
import { checkStore } from "./integrity.ts";
import { SYSTEM_PARTITION } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Store } from "./ports.ts";

interface CopyOptions {
  readonly source: Store;
  readonly target: Store;
  /** The source's address without its password: what the target remembers it by. */
  readonly name: string;
  /** Every partition that a store has now. */
  readonly partitions: (store: Store) => Promise<readonly string[]>;
  readonly onProgress?: (progress: CopyProgress) => void;
}

export interface CopyProgress {
  readonly phase: "copying" | "verifying";
  /** Which look at the source this is, from 1. */
  readonly round: number;
  readonly partition: string;
  readonly done: number;
  readonly partitions: number;
  readonly counts: Readonly<CopyCounts>;
}

export interface CopyResult {
  /** Whether the copy is all that the source had at one moment, and was verified; else the source was written to all the time. */
  readonly exact: boolean;
  readonly rounds: number;
  readonly partitions: number;
  readonly counts: Readonly<CopyCounts>;
  /** Partitions that kept changing, where the copy is not exact. */
  readonly restless: readonly string[];
}

/**
 * Copies everything from one store to another while engines may write to the source. Interrupted at any moment, it goes on when it is
 * called again; what the target has already is not written again.
 *
 * Each partition is copied until a pass begins and ends at the same revision of it: then the copy is the source's partition at that
 * revision. Partitions that changed have another round. When a round finds none changed, the copy is the whole source as of the moment
 * at which that round began, across all partitions, and is verified: each partition's digest is taken again from the target, and every
 * head, revision, version and audit log in it is checked as `store:check` does.
 *
 * @throws invalid_request where the target holds anything else than an earlier run of this copy, or the source is half a copy itself
 */
export async function copyStore(options: CopyOptions): Promise<CopyResult> {
  const { source, target, name } = options;
  await mustBeOurs(options);
  if ((await source.revision([SYSTEM_PARTITION]))[0] === 0) throw emptySource(name);
  const filled = await readState(source);
  if (filled?.status === "copying") throw halfSource(name, filled.source);
  await writeState(target, name, "copying");
  const copy = new Copy(options);
  const result = await copy.run();
  if (!result.exact) return result;
  await copy.verify();
  await writeState(target, name, "exact");
  return result;
}

/** Another store's copy, or data of its own, must not be written over. */
async function mustBeOurs({ target, name, partitions }: CopyOptions): Promise<void> {
  const state = await readState(target);
  if (state !== null) {
    if (state.source === name) return;
    throw new AppError("invalid_request", {
      reason: `The target holds a copy of ${state.source}.`,
      fix: "Copy to an empty store, or remove what the target holds by its database's own means.",
    });
  }
  // What lists the others is enough: nobody writes to a project that is not listed.
  const revisions = await target.revision((await partitions(target)).slice(0, LIMITS.getKeys));
  if (revisions.every((revision) => revision === 0)) return;
  throw new AppError("invalid_request", {
    reason: "The target is not empty: an engine has used it.",
    fix: "Copy to an empty store. Nothing was changed.",
  });
}

function emptySource(name: string): AppError {
  return new AppError("invalid_request", {
    reason: `${name} holds nothing: no engine has used it.`,
    fix: "Look whether FROM and TO are the right way round.",
  });
}

/** Engines do not start on it, and would on a whole copy of it. */
function halfSource(name: string, from: string): AppError {
  return new AppError("invalid_request", {
    reason: `${name} is being filled from ${from} itself, and that has not come to its end.`,
    fix: `Copy ${from} there again, until the copy is exact, or copy from ${from} itself.`,
  });
}

class Copy {
  readonly #options: CopyOptions;
  readonly #counts: CopyCounts = { documents: 0, objects: 0, bytes: 0, removed: 0 };
  #partitions: readonly string[] = [];
  #round = 0;

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  async run(): Promise<CopyResult> {
    let restless: readonly string[] = [];
    while (this.#round < LIMITS.copyRounds) {
      this.#round++;
      this.#partitions = await this.#options.partitions(this.#options.source);
      restless = [];
      const changed = await this.#changed(this.#partitions);
      if (this.#round > 1 && changed.length === 0) return this.#result(true, []);
      for (const [done, partition] of changed.entries()) {
        this.#tell("copying", partition, done, changed.length);
        if (!(await this.#copy(partition, done, changed.length))) restless = [...restless, partition];
      }
    }
    return this.#result(false, restless);
  }

  /** @throws store_unavailable where the target does not hold what was written to it */
  async verify(): Promise<void> {
    const { target } = this.#options;
    for (const [done, partition] of this.#partitions.entries()) {
      this.#tell("verifying", partition, done, this.#partitions.length);
      const copied = await readCopied(target, partition);
      const found = await digestOf(target, partition);
      if (copied?.digest !== found.digest) throw differs(partition);
    }
    const faults: string[] = [];
    const onProgress = (project: string) => this.#tell("verifying", project, this.#partitions.length, this.#partitions.length);
    const onFault = (project: string, what: string) => void (faults.length < LIMITS.integrityFaults && faults.push(`${project}: ${what}`));
    await checkStore(target, { onFault, onProgress });
    if (faults.length > 0) throw faulty(faults);
  }

  /** The partitions of which the target has no copy as new as the source is now. */
  async #changed(partitions: readonly string[]): Promise<readonly string[]> {
    const { source, target } = this.#options;
    const changed: string[] = [];
    for (let from = 0; from < partitions.length; from += LIMITS.scanPage) {
      const part = partitions.slice(from, from + LIMITS.scanPage);
      const revisions = await source.revision(part);
      for (const [index, partition] of part.entries()) {
        if ((await readCopied(target, partition))?.revision !== revisions[index]) changed.push(partition);
      }
    }
    return changed;
  }

  /** Whether nothing was written to the partition while it was copied. */
  async #copy(partition: string, done: number, of: number): Promise<boolean> {
    const { source, target } = this.#options;
    await writeCopied(target, partition, null);
    const onBatch = () => this.#tell("copying", partition, done, of);
    const [before = 0] = await source.revision([partition]);
    const copied = await copyPass({ source, target, partition, counts: this.#counts, onBatch });
    const [after] = await source.revision([partition]);
    if (before !== after) return false;
    await writeCopied(target, partition, { revision: before, ...copied });
    return true;
  }

  #result(exact: boolean, restless: readonly string[]): CopyResult {
    return { exact, restless, rounds: this.#round, partitions: this.#partitions.length, counts: this.#counts };
  }

  #tell(phase: CopyProgress["phase"], partition: string, done: number, partitions: number): void {
    this.#options.onProgress?.({ phase, partition, done, partitions, round: this.#round, counts: this.#counts });
  }
}

function differs(partition: string): AppError {
  return new AppError("store_unavailable", {
    reason: `The partition "${partition}" of the target is not what was written to it.`,
    fix: "Make sure that nobody else writes to the target, and run the copy again.",
  });
}

function faulty(faults: readonly string[]): AppError {
  return new AppError("store_unavailable", {
    reason: `The copy is the same as the source, and does not resolve: ${faults[0]}${faults.length > 1 ? ` (and ${faults.length - 1} more)` : ""}`,
    fix: "Run `npm run store:check` on the source: what is wrong there was copied as it is.",
  });
}
