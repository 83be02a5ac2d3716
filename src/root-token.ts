import { randomBytes } from "node:crypto";
import { SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import type { Store } from "./ports.ts";
import { tokenDigest } from "./token-documents.ts";

/** The token that may do everything, known by its digest alone. */
interface RootToken {
  /** SHA-256 of the token. */
  readonly digest: Buffer;
  /** The token itself, at the one start that made it: to be shown once. */
  readonly made: string | null;
}

/**
 * The operator's token where one is set, which ends the one that was made here: without the setting it would be taken again, though it may have leaked.
 * Otherwise the one that the first start on this store made, or the first since.
 */
export async function rootToken(store: Store, chosen: string | null): Promise<RootToken> {
  const [known] = await store.get(SYSTEM_PARTITION, [systemKeys.rootToken]);
  if (chosen !== null) {
    if (known) await forget(store, known.revision);
    return { digest: tokenDigest(chosen), made: null };
  }
  if (known) return { digest: storedDigest(known.value), made: null };
  const token = `envm_root_${randomBytes(32).toString("base64url")}`;
  const digest = tokenDigest(token);
  const put = { key: systemKeys.rootToken, value: { sha256: digest.toString("hex") } };
  const first = { checks: [{ key: systemKeys.rootToken, revision: null }], puts: [put], deletes: [], objects: [], objectDeletes: [] };
  // Of several instances that start at once on a new store, one makes the token.
  return (await store.commit(SYSTEM_PARTITION, first)).ok ? { digest, made: token } : rootToken(store, null);
}

/** Lost to another instance, the race was about the same. */
async function forget(store: Store, revision: number): Promise<void> {
  const key = systemKeys.rootToken;
  await store.commit(SYSTEM_PARTITION, { checks: [{ key, revision }], puts: [], deletes: [key], objects: [], objectDeletes: [] });
}

function storedDigest(value: unknown): Buffer {
  return Buffer.from((value as { sha256: string }).sha256, "hex");
}
