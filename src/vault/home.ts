import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Json, Store } from "../ports.ts";
import { change, FINGERPRINTS, type Found, HOME, PROJECT_PREFIX, readDocuments, VAULT_PARTITION } from "./documents.ts";

/**
 * Which kind of vault a store's secrets are in (`_vault`, `home`). References do not say it, so that nothing of a project's history
 * changes when its secrets move; but an engine that was started with another vault than its store's would find every secret gone, and
 * would put new ones where nobody looks for them later.
 */
async function readHome(store: Store): Promise<Found<string>> {
  const [entry = null] = await readDocuments(store, VAULT_PARTITION, [HOME]);
  if (entry === null) return { value: null, revision: null };
  const kind = (entry.value as { readonly kind?: Json } | null)?.kind;
  return { value: typeof kind === "string" ? kind : "unknown", revision: entry.revision };
}

/** Where a store's secrets are; `null` where it has had none yet. A store from before that note is the built-in vault's. */
export async function findHome(store: Store): Promise<string | null> {
  const { value } = await readHome(store);
  const home = value ?? "builtin";
  return (await isUsed(store, home)) ? home : null;
}

/** @throws AppError `vault_unavailable` where the store's secrets are elsewhere */
export async function checkHome(store: Store, kind: string): Promise<void> {
  const home = await findHome(store);
  if (home !== null && home !== kind) throw elsewhere(home, kind);
}

/** From now on the store's secrets are in a vault of `kind`. */
export async function moveHome(store: Store, kind: string): Promise<void> {
  for (let attempt = 0; attempt < LIMITS.commitAttempts; attempt += 1) {
    const noted = await readHome(store);
    if (noted.value === kind || (await note(store, kind, noted.revision))) return;
  }
  throw new AppError("write_conflict");
}

/** Before a value comes to a vault its fingerprint is made, and before that the key of one: in the store, or named there. */
async function isUsed(store: Store, home: string): Promise<boolean> {
  if (home !== "builtin") return (await readDocuments(store, VAULT_PARTITION, [FINGERPRINTS]))[0] !== null;
  return (await store.list(VAULT_PARTITION, { prefix: PROJECT_PREFIX, limit: 1 })).length > 0;
}

async function note(store: Store, kind: string, revision: number | null): Promise<boolean> {
  const checks = [{ key: HOME, revision }];
  return (await store.commit(VAULT_PARTITION, change({ checks, puts: [{ key: HOME, value: { kind } }] }))).ok;
}

function elsewhere(home: string, kind: string): AppError {
  return new AppError("vault_unavailable", {
    reason: `The secrets of this store are in its ${home} vault, and the engine is set to a ${kind} one (VAULT_KIND, VAULT_URL).`,
    fix: `Set VAULT_KIND=${home} again, with that vault's settings, or move the secrets: npm run vault:move -- --to ${kind}`,
  });
}
