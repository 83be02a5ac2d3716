import { LIMITS } from "./limits.ts";
import { decoding, type NodeSource } from "./merkle/index.ts";
import type { Entry, Key, ObjectInfo, Store } from "./ports.ts";
import { Maps } from "./snapshots.ts";

/** Reading a whole project, for work that nobody waits for: in pages, past every cache, and in turns with everybody else. */

/** The documents under a prefix, in pages. What is put while it goes on may be in it or not. */
export async function* documentPages(
  store: Store,
  project: string,
  prefix: string,
  limit: number = LIMITS.pageItems,
): AsyncGenerator<readonly Entry[]> {
  for (let after: Key | undefined; ; ) {
    const page = await store.list(project, { prefix, limit, ...(after !== undefined && { after }) });
    if (page.length > 0) yield page;
    after = page.at(-1)?.key;
    if (page.length < limit) return;
    await turn();
  }
}

/** What is known of a project's objects, in pages, by ascending hash. */
export async function* objectPages(store: Store, project: string): AsyncGenerator<readonly ObjectInfo[]> {
  for (let after: string | null = null; ; ) {
    const page: readonly ObjectInfo[] = await store.objects.list(project, after, LIMITS.listEntries);
    if (page.length > 0) yield page;
    after = page.at(-1)?.hash ?? null;
    if (page.length < LIMITS.listEntries) return;
    await turn();
  }
}

/** A project's objects as the store has them now: that something is in a cache does not say that it is stored. */
export function storedObjects(store: Store, project: string): NodeSource {
  return decoding({
    get: async (hashes) => {
      const found = await store.objects.get(project, hashes);
      return found.map((data, index) => {
        if (data === null) throw new Error(`object ${hashes[index]} of project ${project} is missing`);
        return data;
      });
    },
  });
}

export function storedMaps(store: Store, project: string): Maps {
  return new Maps(storedObjects(store, project));
}

/**
 * Where a list goes on that ended between two keys, `lower` before `upper`, as a cursor: the shortest beginning of `upper` that comes after
 * `lower`. It is a place. Of either key, which may be of what the reader may not see, it says no more than that needs.
 * @example placeBetween("3f07", "3f5c") === "3f5"
 */
export function placeBetween(lower: string, upper: string): string {
  let length = 0;
  while (length < upper.length && upper[length] === lower[length]) length++;
  return upper.slice(0, length + 1);
}

/** Lets requests come in between: a store that answers at once would keep them out until the scan ends. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
