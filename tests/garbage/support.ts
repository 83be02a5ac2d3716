import { randomBytes } from "node:crypto";
import { checkStore } from "../../src/integrity.ts";
import { keys, SYSTEM_PARTITION } from "../../src/keys.ts";
import { EMPTY_ROOT, objectHash, reachable } from "../../src/merkle/index.ts";
import type { Label, Revision } from "../../src/model.ts";
import type { Hash, JsonObject, Store, Vault } from "../../src/ports.ts";
import { storedObjects } from "../../src/scan.ts";
import type { Intent } from "../../src/secrets.ts";
import { openBuiltinVault } from "../../src/vault/builtin.ts";
import { projectPartition, VAULT_PARTITION } from "../../src/vault/documents.ts";
import { documents, domainOn, memoryStore, PROJECT, Project, TestClock, vaultEntries, wrapped } from "../domain/support.ts";

export const HOUR = 60 * 60_000;
export const DAY = 24 * HOUR;

/** A value too long to stand in a node, so that it is an object of its own. */
export function long(text: string): JsonObject {
  return { text: `${text} ${"·".repeat(40)}` };
}

export interface Place {
  readonly clock: TestClock;
  readonly store: Store;
  readonly vault: Vault;
  readonly masterKey: string;
  readonly project: Project;
}

export async function openPlace(masterKey = randomBytes(32).toString("base64"), copied?: Place): Promise<Place> {
  const clock = new TestClock();
  const store = memoryStore(clock);
  if (copied !== undefined) {
    clock.time = copied.clock.time;
    for (const partition of [PROJECT, SYSTEM_PARTITION, VAULT_PARTITION, projectPartition(PROJECT)]) {
      const puts = (await documents(copied.store, partition)).map(({ key, value }) => ({ key, value }));
      await store.commit(partition, { checks: [], puts, deletes: [], objects: [], objectDeletes: [] });
    }
    await putObjectsOf(copied.store, store);
  }
  const vault = await openBuiltinVault({ store, storeUrl: "memory:", masterKey });
  return { clock, store, vault, masterKey, project: new Project(domainOn(store, vault)) };
}

/** The same again, quickly. */
export function copyOf(place: Place): Promise<Place> {
  return openPlace(place.masterKey, place);
}

/** Collects as another instance does, with a queue and a cache of its own. */
export function collect({ store, vault }: Pick<Place, "store" | "vault">) {
  return domainOn(store, vault).garbage.collectNow(PROJECT);
}

/** What a store check finds. */
export async function faultsOf(store: Store): Promise<string[]> {
  const faults: string[] = [];
  await checkStore(store, { onFault: (_project, what) => faults.push(what) });
  return faults;
}

export async function storedHashes(store: Store): Promise<Set<Hash>> {
  return new Set((await store.objects.list(PROJECT, null, 10_000)).map(({ hash }) => hash));
}

/** What the revisions and labels need, found by walking each by itself. */
export async function neededHashes(store: Store): Promise<Set<Hash>> {
  const needed = new Set<Hash>();
  const revisions = (await documents(store, PROJECT, keys.revisionsPrefix)).map(({ value }) => value as unknown as Revision);
  const labels = (await documents(store, PROJECT, keys.labelPrefix)).map(({ value }) => value as unknown as Label);
  const roots = new Set([...revisions.flatMap(({ platform, config }) => [platform, config]), ...labels.map(({ platform }) => platform)]);
  for (const root of roots) {
    if (root === EMPTY_ROOT) continue;
    for await (const hashes of reachable(storedObjects(store, PROJECT), root)) for (const hash of hashes) needed.add(hash);
  }
  return needed;
}

/** Objects that nothing refers to, as a write leaves them that never came to its commit. */
export async function litter(store: Store, count: number): Promise<Hash[]> {
  const objects = Array.from({ length: count }, () => {
    const data = Buffer.from(`"litter ${Math.random()}"`);
    return { hash: objectHash(data), data };
  });
  await store.objects.put(PROJECT, objects);
  return objects.map(({ hash }) => hash);
}

/** Puts all objects of another store's project into this one's, where most of them belong to nobody. */
export async function putObjectsOf(other: Store, store: Store): Promise<void> {
  const hashes = [...(await storedHashes(other))];
  const data = await other.objects.get(PROJECT, hashes);
  await store.objects.put(
    PROJECT,
    hashes.map((hash, index) => ({ hash, data: data[index] as Uint8Array })),
  );
}

/** The store with `before` awaited ahead of every call about the project; calls are counted from 1. */
export function stepped(inner: Store, before: (call: number) => Promise<void>): { readonly store: Store; readonly calls: () => number } {
  let calls = 0;
  const step = async <Result>(partition: string, run: () => Promise<Result>): Promise<Result> => {
    if (partition === PROJECT) await before(++calls);
    return run();
  };
  const store = wrapped(inner, {
    get: (partition, wanted) => step(partition, () => inner.get(partition, wanted)),
    list: (partition, range) => step(partition, () => inner.list(partition, range)),
    commit: (partition, change) => step(partition, () => inner.commit(partition, change)),
    objects: {
      get: (partition, hashes) => step(partition, () => inner.objects.get(partition, hashes)),
      put: (partition, objects) => step(partition, () => inner.objects.put(partition, objects)),
      list: (partition, after, limit) => step(partition, () => inner.objects.list(partition, after, limit)),
    },
  });
  return { store, calls: () => calls };
}

export async function intents(store: Store): Promise<Intent[]> {
  return (await documents(store, PROJECT, keys.intentPrefix)).map(({ value }) => value as unknown as Intent);
}

/** The vault entries of which the store knows, and those that the vault has, both as `<env>/<NAME>@<id>`. */
export async function entriesKnownAndKept(store: Store): Promise<{ known: string[]; kept: string[] }> {
  const known = (await documents(store, PROJECT, keys.secretsPrefix)).map(({ key }) => key.slice(keys.secretsPrefix.length));
  return { known: known.sort(), kept: (await vaultEntries(store)).sort() };
}
