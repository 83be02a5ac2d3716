import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Json, Store } from "../ports.ts";
import { change, type Found, readDocuments, VAULT_PARTITION } from "./documents.ts";
import { readKeycheck } from "./keycheck.ts";

/**
 * Which kind of vault a store's secrets are in (`_vault`, `home`). References do not say it, so that nothing of a project's history
 * changes when its secrets move; but an engine that was started with another vault than its store's would find every secret gone, and
 * would put new ones where nobody looks for them later.
 */
const HOME = "home";

export async function readHome(store: Store): Promise<Found<string>> {
  const [entry = null] = await readDocuments(store, VAULT_PARTITION, [HOME]);
  if (entry === null) return { value: null, revision: null };
  const kind = (entry.value as { readonly kind?: Json } | null)?.kind;
  return { value: typeof kind === "string" ? kind : "unknown", revision: entry.revision };
}

/** Where a store's secrets are: noted by the first start on it. A store from before that note is the built-in vault's. */
export async function findHome(store: Store): Promise<string | null> {
  const { value } = await readHome(store);
  return value ?? ((await readKeycheck(store)).value === null ? null : "builtin");
}

/** @throws AppError `vault_unavailable` where the store's secrets are elsewhere */
export async function checkHome(store: Store, kind: string): Promise<void> {
  for (let attempt = 0; attempt < LIMITS.commitAttempts; attempt += 1) {
    const noted = await readHome(store);
    const home = noted.value ?? (await findHome(store));
    if (home !== null && home !== kind) throw elsewhere(home, kind);
    if (noted.value !== null || (await note(store, kind, noted.revision))) return;
  }
  throw new AppError("write_conflict");
}

/** From now on the store's secrets are in a vault of `kind`. */
export async function moveHome(store: Store, kind: string): Promise<void> {
  for (let attempt = 0; attempt < LIMITS.commitAttempts; attempt += 1) {
    const noted = await readHome(store);
    if (noted.value === kind || (await note(store, kind, noted.revision))) return;
  }
  throw new AppError("write_conflict");
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
