import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Change, CommitResult, JsonObject, SecretEntry, Store } from "../../src/ports.ts";
import { openStore } from "../../src/storage/open.ts";
import { openBuiltinVault } from "../../src/vault/builtin.ts";
import { change } from "../../src/vault/documents.ts";
import { type MasterKey, masterKey } from "../../src/vault/sealing.ts";

export interface TestKey {
  readonly text: string;
  readonly bytes: Buffer;
  readonly key: MasterKey;
}

export function newKey(): TestKey {
  const bytes = randomBytes(32);
  return { text: bytes.toString("base64"), bytes, key: masterKey(bytes) };
}

export function memoryStore(): Promise<Store> {
  return openStore("memory:");
}

export function openWith(store: Store, key: TestKey) {
  return openBuiltinVault({ store, storeUrl: "memory:", masterKey: key.text });
}

export function entry(parts: Partial<SecretEntry> = {}): SecretEntry {
  return { project: "pf-777", env: "staging", name: "API_KEY", id: "0a1b", ...parts };
}

/** A folder that is removed when `use` is through. */
export async function inFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "vault-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function readDocument(store: Store, partition: string, key: string): Promise<JsonObject> {
  const [found] = await store.get(partition, [key]);
  if (found === null || found === undefined) throw new Error(`${partition} has no ${key}`);
  return found.value as JsonObject;
}

export async function writeDocument(store: Store, partition: string, key: string, value: JsonObject): Promise<void> {
  await store.commit(partition, change({ puts: [{ key, value }] }));
}

export class Killed extends Error {}

/**
 * The store as a process sees it that is killed at its nth commit, either just before it or just after it became durable:
 * from then on nothing answers. `commits()` tells how many there were.
 */
export function killedAt(store: Store, nth: number, moment: "before" | "after"): { readonly store: Store; readonly commits: () => number } {
  let count = 0;
  let dead = false;
  const alive = <Args extends readonly unknown[], Result>(call: (...args: Args) => Promise<Result>) => {
    return async (...args: Args): Promise<Result> => {
      if (dead) throw new Killed();
      return call(...args);
    };
  };
  const commit = async (partition: string, what: Change): Promise<CommitResult> => {
    count += 1;
    dead = count === nth;
    if (dead && moment === "before") throw new Killed();
    const result = await store.commit(partition, what);
    if (dead) throw new Killed();
    return result;
  };
  const mortal: Store = {
    get: alive((partition, keys) => store.get(partition, keys)),
    list: alive((partition, range) => store.list(partition, range)),
    revision: alive((partitions) => store.revision(partitions)),
    commit: alive(commit),
    objects: store.objects,
    watch: (handlers) => store.watch(handlers),
    now: () => store.now(),
    close: async () => {},
  };
  return { store: mortal, commits: () => count };
}
