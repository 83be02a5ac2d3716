import { CONFIG_FILES, componentPaths, configText, REQUIRES, REQUIRES_FILE, requiresText } from "../git/layout.ts";
import { prettyJson } from "../git/pretty-json.ts";
import { LIMITS } from "../limits.ts";
import { EMPTY_ROOT, type EntryChange } from "../merkle/index.ts";
import type { Snapshot } from "../model.ts";
import type { Hash, Json } from "../ports.ts";
import type { Maps } from "../snapshots.ts";

/** A file with its new text, or `null` where it goes. */
export interface FileEdit {
  readonly path: string;
  readonly text: string | null;
}

/**
 * What makes the files of one snapshot those of another; of `null`, there are none. Reads what differs, the names of the collections
 * that it lies in, and of a config file that changes all that it holds. In each collection files go before others come.
 */
export async function* fileEdits(maps: Maps, before: Snapshot | null, after: Snapshot): AsyncGenerator<FileEdit> {
  const from = before ?? { platform: EMPTY_ROOT, config: EMPTY_ROOT };
  const changes = await maps.diff(from.platform, after.platform);
  for (const [prefix, touched] of byCollection(changes)) {
    if (prefix !== REQUIRES) yield* collectionEdits(maps, from.platform, after.platform, prefix, touched);
  }
  if (before === null || changes.some(({ key }) => key.startsWith(REQUIRES))) {
    yield { path: REQUIRES_FILE, text: requiresText(await entriesOf(maps, after.platform, [REQUIRES])) };
  }
  const touched = (await maps.diff(from.config, after.config)).map(({ key }) => key);
  for (const [path, parts] of Object.entries(CONFIG_FILES)) {
    const prefixes = Object.values(parts);
    if (before !== null && !touched.some((key) => prefixes.some((prefix) => key.startsWith(prefix)))) continue;
    yield { path, text: configText(path, await entriesOf(maps, after.config, prefixes)) };
  }
}

function byCollection(changes: readonly EntryChange[]): Map<string, EntryChange[]> {
  const found = new Map<string, EntryChange[]>();
  for (const change of changes) {
    const prefix = change.key.slice(0, change.key.indexOf("/") + 1);
    const known = found.get(prefix);
    if (known === undefined) found.set(prefix, [change]);
    else known.push(change);
  }
  return found;
}

async function* collectionEdits(
  maps: Maps,
  from: Hash,
  to: Hash,
  prefix: string,
  changes: readonly EntryChange[],
): AsyncGenerator<FileEdit> {
  const pathsAt = async (root: Hash) => componentPaths(await maps.names(root, { prefix, limit: LIMITS.components }));
  const now = await pathsAt(to);
  // Where none came and none went, all are called what they were.
  const isSameNames = changes.every(({ left, right }) => left !== null && right !== null);
  const was = isSameNames ? now : await pathsAt(from);
  const moved = isSameNames ? [] : [...was].filter(([name, path]) => now.get(name) !== path);
  for (const [, path] of moved) yield { path, text: null };
  const written = changes.filter(({ right }) => right !== null);
  for (let start = 0; start < written.length; start += LIMITS.gitValuesAtOnce) {
    const some = written.slice(start, start + LIMITS.gitValuesAtOnce);
    const values = await maps.values(some.map(({ right }) => right));
    for (const [index, { key }] of some.entries()) yield { path: pathOf(now, key), text: prettyJson(values[index] ?? null) };
  }
  // Names that some file system began or ceased to take for another's: the same content at another path.
  const changed = new Set(changes.map(({ key }) => key));
  const renamed = moved.map(([name]) => name).filter((name) => now.has(name) && !changed.has(name));
  for (const name of renamed) yield { path: pathOf(now, name), text: prettyJson((await maps.lookup(to, [name]))[0] ?? null) };
}

function pathOf(paths: ReadonlyMap<string, string>, name: string): string {
  const path = paths.get(name);
  if (path === undefined) throw new Error(`${name} is changed and not there`);
  return path;
}

async function entriesOf(maps: Maps, root: Hash, prefixes: readonly string[]): Promise<ReadonlyMap<string, Json>> {
  const found = new Map<string, Json>();
  for (const prefix of prefixes) {
    for (const { key, value } of await maps.entries(root, { prefix, limit: LIMITS.components })) found.set(key, value);
  }
  return found;
}
