import { hash } from "node:crypto";
import type { Hash } from "../ports.ts";

/**
 * Four kinds of bytes are hashed, and the first byte tells them apart, so that none can pass for another: an encoded node
 * begins with its format's version (1), a value's canonical JSON with one of `"-0123456789[{fnt`, and the other two with these.
 */
const SNAPSHOT = "snapshot\0";
const KEY = "key\0";

/** Zero bits at the start of a key's hash that lift it by one layer; the mean fan-out is 2 to this power. */
const LAYER_BITS = 5;

/** The id of an object, node or value: plain SHA-256 of its bytes, so that a store can check what it holds without knowing what it is. */
export function objectHash(bytes: Uint8Array): Hash {
  return hash("sha256", bytes, "hex");
}

/** The id of a snapshot: the same two roots give the same id, on any machine at any time. */
export function snapshotId(platformRoot: Hash, configRoot: Hash): Hash {
  return hash("sha256", SNAPSHOT + platformRoot + configRoot, "hex");
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
