import { createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from "node:crypto";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Json, SecretEntry, Store, Vault } from "../ports.ts";
import { change, FINGERPRINTS, type Found, readDocuments, VAULT_PARTITION } from "./documents.ts";

/**
 * Fingerprints of values that lie in a vault elsewhere: HMAC-SHA256 under a key of the project, derived by HKDF-SHA256 from one
 * random key. That key is an entry of the vault itself, under a project that nobody can have, so that whoever reads the store
 * alone can test no guess. The store says which entry it is (`_vault`, `fingerprints`): its commit decides between engines that
 * start at once, on any vault, and no entry is ever written twice.
 */
export class Fingerprints {
  readonly #entries: KeyEntries;
  readonly #store: Store;
  #key: Promise<KeyObject> | null = null;

  constructor(entries: KeyEntries, store: Store) {
    this.#entries = entries;
    this.#store = store;
  }

  /** @throws AppError `vault_unavailable` where the key cannot be had */
  async of(project: string, value: Uint8Array): Promise<string> {
    return createHmac("sha256", projectKey(await this.#load(), project))
      .update(value)
      .digest("hex");
  }

  forget(): void {
    this.#key = null;
  }

  /** Once: those who ask meanwhile wait for the same key. What failed is tried again by whoever asks next. */
  #load(): Promise<KeyObject> {
    const loading = this.#key ?? findOrMakeKey(this.#entries, this.#store);
    this.#key = loading;
    loading.catch(() => {
      if (this.#key === loading) this.#key = null;
    });
    return loading;
  }
}

type KeyEntries = Pick<Vault, "get" | "put" | "delete">;

const KEY_BYTES = 32;
const PURPOSE = "environment-manager/vault/v1/fingerprints";

/** The entry that holds the key. No project's name begins with `_`. */
export function keyEntry(id: string): SecretEntry {
  return { project: "_engine", env: "fingerprints", name: "KEY", id };
}

/**
 * Sees to it that `to` has the key of this store's fingerprints: the one of `from` where that has it, so that fingerprints stay
 * as they are, else a new one. Both are vaults elsewhere, or `null` for the built-in one, which has keys of its own.
 */
export async function carryKey(store: Store, from: KeyEntries | null, to: KeyEntries | null): Promise<void> {
  if (to === null) return;
  for (let attempt = 0; attempt < LIMITS.commitAttempts; attempt += 1) {
    const id = await readKeyId(store);
    if (id.value !== null) {
      const entry = keyEntry(id.value);
      if ((await to.get(entry)) !== null) return;
      const text = (await from?.get(entry)) ?? null;
      if (text !== null) return to.put(entry, text);
    }
    if ((await makeKey(to, store, id)) !== null) return;
  }
  throw new AppError("write_conflict");
}

/** Which entry of the vault holds this store's key. */
async function readKeyId(store: Store): Promise<Found<string>> {
  const [entry = null] = await readDocuments(store, VAULT_PARTITION, [FINGERPRINTS]);
  if (entry === null) return { value: null, revision: null };
  const id = (entry.value as { readonly entry?: Json } | null)?.entry;
  if (typeof id !== "string" || !/^[\w-]{1,64}$/.test(id)) throw lost("is not one that the engine wrote");
  return { value: id, revision: entry.revision };
}

/** Makes a new key and lets the store name it, in the place of the one of `before`. `null` where another engine was faster. */
async function makeKey(entries: KeyEntries, store: Store, before: Found<string>): Promise<KeyObject | null> {
  const id = randomBytes(9).toString("base64url");
  const bytes = randomBytes(KEY_BYTES);
  const text = bytes.toString("base64");
  await entries.put(keyEntry(id), text);
  if ((await entries.get(keyEntry(id))) !== text) throw lost("is not given back as it was put");
  const puts = [{ key: FINGERPRINTS, value: { entry: id } }];
  const result = await store.commit(VAULT_PARTITION, change({ checks: [{ key: FINGERPRINTS, revision: before.revision }], puts }));
  if (result.ok) return createSecretKey(bytes);
  await entries.delete(keyEntry(id)).catch(() => {}); // It would be in nobody's way.
  return null;
}

async function findOrMakeKey(entries: KeyEntries, store: Store): Promise<KeyObject> {
  for (let attempt = 0; attempt < LIMITS.commitAttempts; attempt += 1) {
    const id = await readKeyId(store);
    const key = id.value === null ? await makeKey(entries, store, id) : parseKey(await entries.get(keyEntry(id.value)));
    if (key !== null) return key;
  }
  throw new AppError("write_conflict");
}

function parseKey(text: string | null): KeyObject {
  if (text === null) throw lost("is not in this vault");
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== KEY_BYTES) throw lost("is not one that the engine wrote");
  return createSecretKey(bytes);
}

function projectKey(key: KeyObject, project: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", key, new Uint8Array(0), `${PURPOSE}/${project}`, KEY_BYTES));
}

function lost(what: string): AppError {
  return new AppError("vault_unavailable", {
    reason: `The key by which this store's secrets are compared ${what}.`,
    fix: "Check that VAULT_URL and VAULT_KIND name the vault that this store was used with: `npm run vault:move` moves a store to another one.",
  });
}
