import { AppError } from "../errors.ts";
import type { SecretEntry, Store, Vault } from "../ports.ts";
import { DataKeys } from "./data-keys.ts";
import { asRotation, change, damaged, entryKey, projectPartition, ROTATION, readDocuments, VAULT_PARTITION } from "./documents.ts";
import { readKeycheck, verifyMasterKey } from "./keycheck.ts";
import { loadMasterKey } from "./master-key.ts";
import { type Binding, fingerprint, type ProjectKeys, readSealed, seal, unseal } from "./sealing.ts";
import { wellFormed } from "./values.ts";

interface BuiltinVaultOptions {
  readonly store: Store;
  /** `STORE_URL`: says whether, and where, a key file may lie. */
  readonly storeUrl: string;
  /** `ENV_MANAGER_MASTER_KEY`: 32 bytes in base64, or `null` where it is not set. */
  readonly masterKey: string | null;
}

export interface BuiltinVault extends Vault {
  has(entry: SecretEntry): Promise<boolean>;
  /** In words, for the start-up log: `ENV_MANAGER_MASTER_KEY`, the key file's path, or `memory`. */
  readonly keyOrigin: string;
  /** A rotation of the master key was begun and not finished. Everything opens; `npm run vault:rotate` finishes it. */
  readonly rotationUnfinished: boolean;
  /** Forgets every key. What is asked afterwards is refused with `shutting_down`. */
  close(): void;
}

/**
 * Opens the vault that keeps its values, sealed, in the engine's own store. Each value is sealed by AES-256-GCM under a
 * key of its project; that key is wrapped by the master key.
 *
 * A sealed value opens only as the entry that it was put as: moved to another project, environment, name or id, or
 * changed by a bit, it is refused (`vault_unavailable`). It does not protect against an older copy of the whole store.
 *
 * @throws AppError `vault_unavailable` where the master key is missing, malformed or not this store's
 */
export async function openBuiltinVault({ store, storeUrl, masterKey }: BuiltinVaultOptions): Promise<BuiltinVault> {
  const keycheck = await readKeycheck(store);
  const { key, origin } = await loadMasterKey(storeUrl, masterKey, keycheck.value !== null);
  await verifyMasterKey(store, key, origin);
  const [rotation = null] = await readDocuments(store, VAULT_PARTITION, [ROTATION]);
  return new StoreVault(store, new DataKeys(store, key), origin, asRotation(rotation).value !== null);
}

class StoreVault implements BuiltinVault {
  readonly keyOrigin: string;
  readonly rotationUnfinished: boolean;
  readonly #store: Store;
  readonly #keys: DataKeys;
  #closed = false;

  constructor(store: Store, keys: DataKeys, keyOrigin: string, rotationUnfinished: boolean) {
    this.#store = store;
    this.#keys = keys;
    this.keyOrigin = keyOrigin;
    this.rotationUnfinished = rotationUnfinished;
  }

  /** Putting the same value again succeeds, so that a put of unknown outcome can be repeated. */
  async put(entry: SecretEntry, value: string): Promise<void> {
    this.#refuseWhenClosed();
    const bytes = wellFormed(value);
    const { sealing } = await this.#keys.findOrMake(entry.project);
    const key = entryKey(entry);
    const puts = [{ key, value: seal(sealing, bytes, bindingOf(entry)) }];
    const result = await this.#store.commit(projectPartition(entry.project), change({ checks: [{ key, revision: null }], puts }));
    if (!result.ok && (await this.get(entry)) !== value) {
      throw new Error(`The vault entry "${key}" of project "${entry.project}" exists with another value, and entries are never reused.`);
    }
  }

  async get(entry: SecretEntry): Promise<string | null> {
    this.#refuseWhenClosed();
    const partition = projectPartition(entry.project);
    const [document = null] = await readDocuments(this.#store, partition, [entryKey(entry)]);
    if (document === null) return null;
    const keys: ProjectKeys | null = await this.#keys.find(entry.project);
    const sealed = readSealed(document.value);
    const bytes = keys === null || sealed === null ? null : unseal(keys.sealing, sealed, bindingOf(entry));
    if (bytes === null) throw damaged(partition, document.key);
    return bytes.toString("utf8");
  }

  /** Opens it as well: a damaged value is not one that a rollback should return to. */
  async has(entry: SecretEntry): Promise<boolean> {
    return (await this.get(entry)) !== null;
  }

  async delete(entry: SecretEntry): Promise<void> {
    this.#refuseWhenClosed();
    await this.#store.commit(projectPartition(entry.project), change({ deletes: [entryKey(entry)] }));
  }

  async fingerprint(project: string, value: string): Promise<string> {
    this.#refuseWhenClosed();
    const bytes = wellFormed(value);
    const { fingerprinting } = await this.#keys.findOrMake(project);
    return fingerprint(fingerprinting, bytes);
  }

  close(): void {
    this.#closed = true;
    this.#keys.forget();
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new AppError("shutting_down");
  }
}

function bindingOf(entry: SecretEntry): Binding {
  return ["value", entry.project, entry.env, entry.name, entry.id];
}
