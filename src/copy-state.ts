import { AppError } from "./errors.ts";
import type { Change, Json, Store } from "./ports.ts";

/**
 * What a store that is being filled from another one knows of that, in a partition of its own:
 *
 * | key | document |
 * | --- | --- |
 * | `state` | {@link CopyState}; gone once an engine has started on the store |
 * | `at/<partition>` | {@link CopiedPartition}: it was found to be the source's, document by document and object by object |
 */
export const COPY_PARTITION = "_copy";
const STATE = "state";
const atKey = (partition: string) => `at/${partition}`;

interface CopyState {
  /** What it is a copy of: the source's address, without its password. */
  readonly source: string;
  /** `exact`: the copy was the source's whole content at one moment, and was verified. */
  readonly status: "copying" | "exact";
  /** When the status was reached, by the copy's clock. */
  readonly at: string;
}

export interface CopiedPartition {
  /** The source's revision of the partition. */
  readonly revision: number;
  readonly documents: number;
  readonly objects: number;
  /** Over all objects' hashes and all documents, in order. */
  readonly digest: string;
}

export function changeOf(parts: Partial<Change>): Change {
  return { checks: [], puts: [], deletes: [], objects: [], objectDeletes: [], ...parts };
}

export async function readState(target: Store): Promise<CopyState | null> {
  const [entry] = await target.get(COPY_PARTITION, [STATE]);
  return (entry?.value ?? null) as CopyState | null;
}

export async function writeState(target: Store, source: string, status: CopyState["status"]): Promise<void> {
  const value = { source, status, at: (await target.now()).toISOString() } satisfies CopyState;
  await target.commit(COPY_PARTITION, changeOf({ puts: [{ key: STATE, value }] }));
}

export async function readCopied(target: Store, partition: string): Promise<CopiedPartition | null> {
  const [entry] = await target.get(COPY_PARTITION, [atKey(partition)]);
  return (entry?.value ?? null) as CopiedPartition | null;
}

/** `null`: it is about to be written to, and is no copy of anything meanwhile. */
export async function writeCopied(target: Store, partition: string, copied: CopiedPartition | null): Promise<void> {
  const key = atKey(partition);
  const parts = copied === null ? { deletes: [key] } : { puts: [{ key, value: { ...copied } as Json }] };
  await target.commit(COPY_PARTITION, changeOf(parts));
}

/**
 * What an engine does as it starts: a store that is half a copy is refused, and one that is a whole copy is no copy any more from now
 * on, so that nobody copies over what is written to it.
 *
 * @throws store_unavailable where copying to this store has not come to its end
 */
export async function takeOver(store: Store): Promise<void> {
  const state = await readState(store);
  if (state === null) return;
  if (state.status === "copying") {
    throw new AppError("store_unavailable", {
      reason: `This store is being filled from ${state.source}, and that has not come to its end.`,
      fix: "Run the same `npm run store:copy` again, until it says that the copy is exact.",
    });
  }
  await store.commit(COPY_PARTITION, changeOf({ deletes: [STATE] }));
}
