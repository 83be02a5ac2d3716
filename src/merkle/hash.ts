import { createHash, hash } from "node:crypto";
import type { Hash } from "../ports.ts";

/** What a hash is of is hashed with it, so that the bytes of one kind of thing can never pass for another kind. */
const VALUE = Buffer.from("value\0");
const NODE = Buffer.from("node\0");
const SNAPSHOT = Buffer.from("snapshot\0");
const KEY = "key\0";

/** Up to this many bytes, copying behind the domain and hashing in one call is faster than a hash in two steps. */
const ONE_SHOT_BYTES = 16 * 1024;
const scratch = Buffer.allocUnsafeSlow(64 + ONE_SHOT_BYTES);

/** Zero bits at the start of a key's hash that lift it by one layer; the mean fan-out is 2 to this power. */
const LAYER_BITS = 5;

/** The content hash of a value's canonical JSON in UTF-8. */
export function valueHash(bytes: Uint8Array): Hash {
  return domainHash(VALUE, bytes);
}

/** The content hash of an encoded node. */
export function nodeHash(bytes: Uint8Array): Hash {
  return domainHash(NODE, bytes);
}

/** The id of a snapshot: the same two roots give the same id, on any machine at any time. */
export function snapshotId(platformRoot: Hash, configRoot: Hash): Hash {
  return domainHash(SNAPSHOT, Buffer.from(platformRoot + configRoot, "hex"));
}

/**
 * The layer of the tree in which a key sits: the number of leading groups of 5 zero bits of SHA-256(`key` ‖ 0 ‖ key in
 * UTF-8), so one key in 32 rises above layer 0, one in 1,024 above layer 1. It depends on nothing but the key.
 * Algorithm: Auvolat and Taïani, "Merkle Search Trees" (SRDS 2019).
 */
export function keyLayer(key: string): number {
  return layerOf(hash("sha256", KEY + key, "hex"));
}

/** The layer that a digest stands for; apart from `keyLayer` so that digests nobody can find a key for can be tested. */
export function layerOf(digest: Hash): number {
  let bits = 0;
  for (let at = 0; at < digest.length; at += 8) {
    const zeros = Math.clz32(Number.parseInt(digest.slice(at, at + 8), 16));
    bits += zeros;
    if (zeros < 32) break;
  }
  return Math.floor(bits / LAYER_BITS);
}

function domainHash(domain: Buffer, bytes: Uint8Array): Hash {
  if (bytes.length > ONE_SHOT_BYTES) return createHash("sha256").update(domain).update(bytes).digest("hex");
  scratch.set(domain, 0);
  scratch.set(bytes, domain.length);
  return hash("sha256", scratch.subarray(0, domain.length + bytes.length), "hex");
}
