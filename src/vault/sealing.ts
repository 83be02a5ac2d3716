import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from "node:crypto";
import type { Json } from "../ports.ts";

/**
 * The vault's cryptography, and nothing else: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce per sealing,
 * HKDF-SHA256 (RFC 5869) to derive one key for each purpose, HMAC-SHA256 for fingerprints.
 *
 * Keys are `KeyObject`s: their bytes lie outside the JavaScript heap and do not show when one is logged by mistake.
 */

/** Bytes of a master key and of a data key. */
export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Goes into every derivation and every sealing, so that nothing made here is mistaken for anything else. */
const DOMAIN = "environment-manager/vault/v1";

/** A sealed byte string as it lies in a document; all three are base64. */
export type Sealed = { readonly nonce: string; readonly ciphertext: string; readonly tag: string };

/** What a sealed byte string belongs to. It opens only under the very same words in the same order. */
export type Binding = readonly string[];

/** The key that wraps every project's data key. `id` is derived one way, so it may be stored and shown. */
export interface MasterKey {
  readonly id: string;
  readonly wrapping: KeyObject;
}

/** The keys of one project, derived from its data key. */
export interface ProjectKeys {
  readonly sealing: KeyObject;
  readonly fingerprinting: KeyObject;
}

/** Seals `plaintext` under a fresh random nonce: the same value sealed twice looks like two values. */
export function seal(key: KeyObject, plaintext: Uint8Array, binding: Binding): Sealed {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associatedData(binding));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { nonce: nonce.toString("base64"), ciphertext: ciphertext.toString("base64"), tag: cipher.getAuthTag().toString("base64") };
}

/** Opens what `seal` made. `null` where key, binding or a single bit differ; the reason is nobody's business. */
export function unseal(key: KeyObject, sealed: Sealed, binding: Binding): Buffer | null {
  const nonce = Buffer.from(sealed.nonce, "base64");
  const tag = Buffer.from(sealed.tag, "base64");
  // A shortened tag would still verify, only by fewer bits.
  if (nonce.length !== NONCE_BYTES || tag.length !== TAG_BYTES) return null;
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(binding));
  decipher.setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(sealed.ciphertext, "base64"), decipher.final()]);
  } catch {
    return null;
  }
}

/** `null` where `json` is no sealed byte string. */
export function readSealed(json: Json | undefined): Sealed | null {
  if (typeof json !== "object" || json === null) return null;
  const { nonce, ciphertext, tag } = json as { readonly [member: string]: Json };
  if (typeof nonce !== "string" || typeof ciphertext !== "string" || typeof tag !== "string") return null;
  return { nonce, ciphertext, tag };
}

/** `bytes` are 32 uniformly random ones. */
export function masterKey(bytes: Uint8Array): MasterKey {
  return { id: derive(bytes, "master-key-id").subarray(0, 16).toString("hex"), wrapping: createSecretKey(derive(bytes, "wrapping")) };
}

export function newDataKey(): Buffer {
  return randomBytes(KEY_BYTES);
}

export function wrapDataKey(master: MasterKey, project: string, dataKey: Uint8Array): Sealed {
  return seal(master.wrapping, dataKey, ["data-key", master.id, project]);
}

/** `null` where `wrapped` was not made for this project by this master key. */
export function unwrapDataKey(master: MasterKey, project: string, wrapped: Sealed): Buffer | null {
  return unseal(master.wrapping, wrapped, ["data-key", master.id, project]);
}

export function projectKeys(dataKey: Uint8Array): ProjectKeys {
  return { sealing: createSecretKey(derive(dataKey, "sealing")), fingerprinting: createSecretKey(derive(dataKey, "fingerprinting")) };
}

/** 64 hexadecimal digits. */
export function fingerprint(key: KeyObject, value: Uint8Array): string {
  return createHmac("sha256", key).update(value).digest("hex");
}

function derive(key: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", key, new Uint8Array(0), `${DOMAIN}/${purpose}`, KEY_BYTES));
}

/** JSON keeps the words apart: `["a","b c"]` and `["a b","c"]` bind differently. */
function associatedData(binding: Binding): Buffer {
  return Buffer.from(JSON.stringify([DOMAIN, ...binding]));
}
