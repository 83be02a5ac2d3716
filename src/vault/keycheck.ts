import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Store } from "../ports.ts";
import {
  asRotation,
  asSeals,
  change,
  damaged,
  type Found,
  KEYCHECK,
  ROTATION,
  readDocuments,
  type Seals,
  VAULT_PARTITION,
} from "./documents.ts";
import { type MasterKey, type Sealed, seal, unseal } from "./sealing.ts";

/** What the keycheck seals: no secret, only something to recognise. */
const KNOWN_TEXT = Buffer.from("environment-manager keycheck");

export async function readKeycheck(store: Store): Promise<Found<Seals>> {
  const [entry = null] = await readDocuments(store, VAULT_PARTITION, [KEYCHECK]);
  return asSeals(VAULT_PARTITION, entry);
}

export function sealKeycheck(key: MasterKey): Sealed {
  return seal(key.wrapping, KNOWN_TEXT, ["keycheck", key.id]);
}

/** Whether `key` opens this store. Throws `vault_unavailable` where the keycheck itself is damaged. */
export function opens(key: MasterKey, keycheck: Seals): boolean {
  const sealed = keycheck[key.id];
  if (sealed === undefined) return false;
  if (unseal(key.wrapping, sealed, ["keycheck", key.id])?.equals(KNOWN_TEXT) !== true) throw damaged(VAULT_PARTITION, KEYCHECK);
  return true;
}

/**
 * Verifies `key` against the store's keycheck, or writes that check where the store has none yet. Of two engines that
 * start on one fresh store with different keys, one is refused.
 *
 * @param origin where the key came from, for the message
 * @throws AppError `vault_unavailable` where the key is not this store's
 */
export async function verifyMasterKey(store: Store, key: MasterKey, origin: string): Promise<void> {
  for (let attempt = 0; attempt < LIMITS.commitAttempts; attempt += 1) {
    const { value: keycheck } = await readKeycheck(store);
    if (keycheck !== null) {
      if (!opens(key, keycheck)) throw await wrongKey(store, key, keycheck, origin);
      return;
    }
    const puts = [{ key: KEYCHECK, value: { [key.id]: sealKeycheck(key) } }];
    const result = await store.commit(VAULT_PARTITION, change({ checks: [{ key: KEYCHECK, revision: null }], puts }));
    if (result.ok) return;
  }
  throw new AppError("write_conflict", { reason: "Other engines kept changing the vault's keycheck." });
}

async function wrongKey(store: Store, key: MasterKey, keycheck: Seals, origin: string): Promise<AppError> {
  const [rotation = null] = await readDocuments(store, VAULT_PARTITION, [ROTATION]);
  if (asRotation(rotation).value?.to === key.id) {
    return new AppError("vault_unavailable", {
      reason: `A rotation to the master key from ${origin} (key ${shortId(key.id)}) was interrupted before that key opens everything.`,
      fix: "Run `npm run vault:rotate` again to finish it, or start the engine with the old key.",
    });
  }
  const known = Object.keys(keycheck).map(shortId).join(" or ");
  return new AppError("vault_unavailable", {
    reason: `The master key from ${origin} (key ${shortId(key.id)}) is not the one that this store's secrets are sealed by (key ${known}).`,
    fix:
      "Give the key that this store was last started with or last rotated to, in ENV_MANAGER_MASTER_KEY or as the key file beside the database. " +
      "The two ways exclude one another: a key file is not looked at while ENV_MANAGER_MASTER_KEY is set.",
  });
}

/** Enough of a key's id to tell two keys apart. Not part of the key: it is derived one way. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}
