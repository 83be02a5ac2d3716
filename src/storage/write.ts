import type { Change, StoredObject } from "../ports.ts";

/** One write that waits for its group: a commit, or objects put ahead of one (`change: null`). */
export interface Write {
  readonly partition: string;
  readonly change: Change<string> | null;
  readonly objects: readonly StoredObject[];
}

/** Characters of documents and bytes of objects: near enough to bound a group. */
export function sizeOf({ change, objects }: Write): number {
  let size = 0;
  for (const { value } of change?.puts ?? []) size += value.length;
  for (const { data } of objects) size += data.byteLength;
  return size;
}
