import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mayDoLittle } from "./callers.ts";
import { AppError } from "./errors.ts";
import { documentsOf } from "./heads.ts";
import { SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { JsonObject, SecretEntry, Store, Vault } from "./ports.ts";

const ENGINE = mayDoLittle("engine", "audit-signing");

/** The public half of a key that exports of audit logs are signed with. */
interface AuditKey {
  /** The first 32 hexadecimal digits of the SHA-256 of the public key. */
  readonly kid: string;
  /** The public key, 32 bytes in base64url. */
  readonly x: string;
  readonly created_at: string;
  /** Since when another one signs. */
  readonly retired_at: string | null;
}

/** The document `audit-keys` of `_system`: all keys that ever were, the one that signs last. */
interface AuditKeys {
  readonly keys: readonly AuditKey[];
  /** A key that is being put into the vault: left there by a crash, it is taken away by whoever makes the next one. */
  readonly making: string | null;
}

const NO_KEYS: AuditKeys = { keys: [], making: null };

/**
 * Signs exports of audit logs with an Ed25519 key of this store, made when it is first needed and kept in the vault. Its public
 * half stays known for good, so that what was signed once can be verified after any number of rotations.
 */
export class AuditSigning {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #vault: Vault;
  /** The first key, while it is being made: those who need it meanwhile wait for the same one. */
  #first: Promise<AuditKey> | null = null;
  #loaded: { readonly kid: string; readonly key: KeyObject } | null = null;

  constructor(store: Store, ledger: Ledger, vault: Vault) {
    this.#store = store;
    this.#ledger = ledger;
    this.#vault = vault;
  }

  /** A JWS in compact form (RFC 7515, EdDSA of RFC 8037) over what is stated. @throws vault_unavailable where the key cannot be had */
  async sign(statement: JsonObject): Promise<string> {
    const current = (await this.keys()).at(-1) ?? (await this.#makeFirst());
    const key = await this.#load(current.kid);
    const signed = [{ alg: "EdDSA", typ: "audit-export", kid: current.kid }, statement].map(encoded).join(".");
    return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
  }

  /** Oldest first. */
  async keys(): Promise<readonly AuditKey[]> {
    const [found] = await documentsOf(this.#store, SYSTEM_PARTITION).getAll<AuditKeys>([systemKeys.auditKeys]);
    return (found ?? NO_KEYS).keys;
  }

  /** From now on another key signs; the one before is taken out of the vault. */
  async rotate(): Promise<AuditKey> {
    const before = (await this.keys()).at(-1)?.kid ?? null;
    const made = await this.#make(before);
    if (before !== null) await this.#vault.delete(auditKeyEntry(before));
    return made;
  }

  #makeFirst(): Promise<AuditKey> {
    this.#first ??= this.#make(null).finally(() => {
      this.#first = null;
    });
    return this.#first;
  }

  async #load(kid: string): Promise<KeyObject> {
    if (this.#loaded?.kid === kid) return this.#loaded.key;
    const text = await this.#vault.get(auditKeyEntry(kid));
    if (text === null) {
      throw new AppError("vault_unavailable", {
        reason: "The key that audit exports are signed with is not in this vault.",
        fix: "Check that VAULT_URL and VAULT_KIND name the vault that this store was used with; if it is lost, make another: npm run audit:rotate",
      });
    }
    const key = createPrivateKey({ key: Buffer.from(text, "base64"), format: "der", type: "pkcs8" });
    this.#loaded = { kid, key };
    return key;
  }

  /** Makes the key that follows `before`, unless somebody else just did: then theirs is as good. */
  async #make(before: string | null): Promise<AuditKey> {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const { x = "" } = publicKey.export({ format: "jwk" });
    const kid = createHash("sha256").update(Buffer.from(x, "base64url")).digest("hex").slice(0, 32);
    const entry = auditKeyEntry(kid);
    const left = await this.#ledger.write(SYSTEM_PARTITION, ENGINE, async (tx) => {
      const known = (await tx.get<AuditKeys>(systemKeys.auditKeys)) ?? NO_KEYS;
      tx.put(systemKeys.auditKeys, { ...known, making: kid } satisfies AuditKeys);
      return known.making;
    });
    if (left !== null) await this.#vault.delete(auditKeyEntry(left));
    await this.#vault.put(entry, privateKey.export({ format: "der", type: "pkcs8" }).toString("base64"));
    const made = await this.#ledger.write(SYSTEM_PARTITION, ENGINE, async (tx) => {
      const known = (await tx.get<AuditKeys>(systemKeys.auditKeys)) ?? NO_KEYS;
      const current = known.keys.at(-1);
      // Who made another one meanwhile has taken this one's place, and taken it away or will.
      if (known.making !== kid || (current?.kid ?? null) !== before) return null;
      const key: AuditKey = { kid, x, created_at: tx.now, retired_at: null };
      const keys = [...known.keys.map((one) => ({ ...one, retired_at: one.retired_at ?? tx.now })), key];
      if (keys.length > LIMITS.auditKeys) throw tooMany();
      tx.put(systemKeys.auditKeys, { keys, making: null } satisfies AuditKeys);
      await tx.audit({ action: "audit_key_made", details: { kid, before } });
      return key;
    });
    if (made !== null) return made;
    await this.#vault.delete(entry);
    const current = (await this.keys()).at(-1);
    if (current !== undefined && current.kid !== before) return current;
    throw new AppError("write_conflict", { reason: "Others made keys for audit exports at the same time.", fix: "Try again." });
  }
}

/** The entries of the vault that a store's signing keys are. */
export async function auditKeyEntries(store: Store): Promise<readonly SecretEntry[]> {
  const [found] = await documentsOf(store, SYSTEM_PARTITION).getAll<AuditKeys>([systemKeys.auditKeys]);
  const current = found?.keys.at(-1);
  return current === undefined ? [] : [auditKeyEntry(current.kid)];
}

/** No project's name begins with `_`. */
function auditKeyEntry(kid: string): SecretEntry {
  return { project: "_engine", env: "audit", name: "KEY", id: kid };
}

function encoded(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function tooMany(): AppError {
  return new AppError("invalid_transition", {
    reason: `There are ${LIMITS.auditKeys} keys for audit exports already, and none is forgotten.`,
    fix: "Keep the one that there is.",
  });
}
