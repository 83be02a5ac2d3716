import { AppError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { Change, Entry, SecretEntry, Store } from "../ports.ts";
import { readSealed, type Sealed } from "./sealing.ts";

/**
 * Where the built-in vault keeps what, and in which shape; and what the store knows of a vault elsewhere.
 *
 * | partition | key | document |
 * | --- | --- | --- |
 * | `_vault` | `keycheck` | {@link Seals}: a known text, sealed by each master key that opens this store |
 * | `_vault` | `rotation` | {@link Rotation}, while one is under way |
 * | `_vault` | `project/<project>` | `{}`: this project has, or is about to have, a data key |
 * | `_vault` | `registry` | `{last:<project>}`: put by every commit that adds a project, so that a rotation notices |
 * | `_vault` | `home` | `{kind}`: where this store's secrets are, `builtin`, `puraify` or `kv2` |
 * | `_vault` | `fingerprints` | `{entry}`: which entry of a vault elsewhere holds the key of the fingerprints |
 * | `_vault:<project>` | `key` | {@link Seals}: the project's data key, wrapped by each master key that opens this store |
 * | `_vault:<project>` | `entry/<env>/<NAME>@<id>` | {@link Sealed}: one secret value |
 */
export const VAULT_PARTITION = "_vault";
export const KEYCHECK = "keycheck";
export const ROTATION = "rotation";
export const REGISTRY = "registry";
export const PROJECT_PREFIX = "project/";
export const DATA_KEY = "key";
export const HOME = "home";
export const FINGERPRINTS = "fingerprints";

export function projectPartition(project: string): string {
  return `${VAULT_PARTITION}:${project}`;
}

export function entryKey(entry: SecretEntry): string {
  return `entry/${entry.env}/${entry.name}@${entry.id}`;
}

/** The same bytes sealed by one or, during a rotation, two master keys: master key id → sealed. */
export type Seals = { readonly [masterKeyId: string]: Sealed };

const PHASES = ["wrapping", "both", "pruning"] as const;

/**
 * `wrapping`: each data key is being wrapped by the new master key as well; only the old one opens the store.
 * `both`: everything is wrapped by both keys, and either opens the store.
 * `pruning`: only the new key opens the store, and the old wrappings are being removed.
 */
export type Rotation = { readonly from: string; readonly to: string; readonly phase: (typeof PHASES)[number] };

/** A document that was read, with the revision that a commit checks it by; both `null` where there is none. */
export interface Found<Value> {
  readonly value: Value | null;
  readonly revision: number | null;
}

/** Several documents of one partition in one consistent read. */
export async function readDocuments(store: Store, partition: string, keys: readonly string[]): Promise<readonly (Entry | null)[]> {
  const entries = await store.get(partition, keys);
  return keys.map((_, index) => entries[index] ?? null);
}

/** Throws `vault_unavailable` where the document is not what the vault once wrote. */
export function asSeals(partition: string, entry: Entry | null): Found<Seals> {
  if (entry === null) return { value: null, revision: null };
  const seals: Record<string, Sealed> = {};
  for (const [id, json] of Object.entries(isObject(entry.value) ? entry.value : {})) {
    const sealed = readSealed(json);
    if (sealed === null) throw damaged(partition, entry.key);
    seals[id] = sealed;
  }
  if (Object.keys(seals).length === 0) throw damaged(partition, entry.key);
  return { value: seals, revision: entry.revision };
}

/** Throws `vault_unavailable` where the document is not what the vault once wrote. */
export function asRotation(entry: Entry | null): Found<Rotation> {
  if (entry === null) return { value: null, revision: null };
  const { from, to, ...rest } = isObject(entry.value) ? entry.value : {};
  const phase = PHASES.find((name) => name === rest.phase);
  if (typeof from !== "string" || typeof to !== "string" || phase === undefined) throw damaged(VAULT_PARTITION, entry.key);
  return { value: { from, to, phase }, revision: entry.revision };
}

/** A change that touches documents alone. */
export function change(parts: Partial<Pick<Change, "checks" | "puts" | "deletes">>): Change {
  return { checks: [], puts: [], deletes: [], objects: [], objectDeletes: [], ...parts };
}

/** A document that fails to open though the key is right: it was changed by something other than the vault. */
export function damaged(partition: string, key: string): AppError {
  return new AppError("vault_unavailable", {
    reason: `The vault's document "${key}" in partition "${partition}" was changed or damaged outside the engine, so it is not used.`,
    fix: "Restore the store from a backup. If only one secret is affected, setting it again is enough.",
  });
}
