import { EVERY } from "./access.ts";
import { LIMITS } from "./limits.ts";
import type { Page, PageRequest } from "./model.ts";
import type { Entry, Json, Store } from "./ports.ts";
import { turn } from "./scan.ts";

/** What a caller may see of the names in a list. */
export interface Sight {
  /** The patterns of the caller's grants. */
  readonly patterns: readonly string[];
  sees(name: string): boolean;
  /** Of what the caller may see, which is asked for; all of it where that is left out. */
  wants?(name: string, value: Json): boolean;
}

/**
 * A page of the documents `<prefix><name>` whose names the caller may see, by name; a cursor is the last of them. Whoever may see
 * a few that are written out is not led through all the others. Whoever may see some by a pattern is, a few hundred at a time: a
 * page that ended early would have to tell where, and with that a name that is not for them.
 */
export function visibleEntries(store: Store, partition: string, prefix: string, page: PageRequest, sight: Sight): Promise<Page<Entry>> {
  return sight.patterns.some((pattern) => pattern.includes(EVERY))
    ? scanned(store, partition, prefix, page, sight)
    : lookedUp(store, partition, prefix, page, sight);
}

async function scanned(
  store: Store,
  partition: string,
  prefix: string,
  { limit, cursor }: PageRequest,
  sight: Sight,
): Promise<Page<Entry>> {
  const items: Entry[] = [];
  let size = limit + 1;
  let after = prefix + (cursor ?? "");
  while (true) {
    const entries = await store.list(partition, { prefix, after, limit: size });
    items.push(...entries.filter((entry) => isShown(entry, prefix, sight)));
    if (items.length > limit || entries.length < size) return { items: items.slice(0, limit), next_cursor: cursorOf(items, limit, prefix) };
    after = entries.at(-1)?.key ?? after;
    size = Math.max(size, LIMITS.scanPage);
    await turn();
  }
}

function isShown({ key, value }: Entry, prefix: string, sight: Sight): boolean {
  const name = key.slice(prefix.length);
  return sight.sees(name) && (sight.wants?.(name, value) ?? true);
}

/** How many there are on all pages together. */
export async function countVisible(store: Store, partition: string, prefix: string, sight: Sight): Promise<number> {
  let count = 0;
  for (let cursor: string | null = null; ; ) {
    const page: Page<Entry> = await visibleEntries(store, partition, prefix, { limit: LIMITS.pageItems, cursor }, sight);
    count += page.items.length;
    cursor = page.next_cursor;
    if (cursor === null) return count;
    await turn();
  }
}

async function lookedUp(store: Store, partition: string, prefix: string, page: PageRequest, sight: Sight): Promise<Page<Entry>> {
  const { limit, cursor } = page;
  const { patterns, sees } = sight;
  // Names are ASCII, whose order as text is that of their keys.
  const names = [...new Set(patterns)].filter((name) => sees(name) && (cursor === null || name > cursor)).sort();
  const items: Entry[] = [];
  for (let from = 0; from < names.length && items.length <= limit; from += LIMITS.getKeys) {
    const keys = names.slice(from, from + LIMITS.getKeys).map((name) => prefix + name);
    const found = (await store.get(partition, keys)).filter((entry) => entry !== null);
    items.push(...found.filter((entry) => isShown(entry, prefix, sight)));
  }
  return { items: items.slice(0, limit), next_cursor: cursorOf(items, limit, prefix) };
}

function cursorOf(items: readonly Entry[], limit: number, prefix: string): string | null {
  return items.length > limit ? (items[limit - 1]?.key.slice(prefix.length) ?? null) : null;
}
