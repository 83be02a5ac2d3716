/**
 * The bytes of a node. One set of bytes for each node, and one node for each set of bytes:
 *
 *     version (1) · layer · varint entries
 *     layer 0:       entry*
 *     above layer 0: child (entry child)*
 *     child = varint count, 0 for none · 32 bytes hash unless none
 *     entry = varint bytes shared with the previous key · varint bytes that follow · those bytes
 *             · varint length of the value's text · the text; or 0 and 32 bytes value hash
 *
 * Varints are LEB128, as short as possible. What belongs to one entry stands together, so that a change to one entry is
 * one splice of the bytes, which is what a store's delta encoding likes best.
 */
import { LIMITS } from "../limits.ts";
import type { Hash } from "../ports.ts";
import { nodeHash } from "./hash.ts";
import { at } from "./keys.ts";
import { type ChildRef, corrupt, countEntries, EMPTY_NODE, INLINE_BYTES, type MapNode, NO_CHILDREN, type ValueRef } from "./node.ts";

const VERSION = 1;
const HASH_BYTES = 32;
const HASH_DIGITS = 64;
const VARINT_BYTES = 5;

/** Encodes a node whose keys ascend. */
export function encodeNode(node: MapNode): Uint8Array {
  return new NodeWriter(node).bytes();
}

class NodeWriter {
  #out: Buffer;
  #end = 0;
  #previous: Buffer = Buffer.alloc(0);

  constructor(node: MapNode) {
    this.#out = Buffer.allocUnsafe(256 + node.keys.length * 96);
    this.#byte(VERSION);
    this.#byte(node.layer);
    this.#varint(node.keys.length);
    for (let i = 0; i < node.keys.length; i++) {
      if (node.layer > 0) this.#child(at(node.children, i));
      this.#key(at(node.keys, i));
      this.#value(at(node.values, i));
    }
    if (node.layer > 0) this.#child(at(node.children, node.keys.length));
  }

  bytes(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#out, 0, this.#end);
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#out.length) return;
    const larger = Buffer.allocUnsafe(2 * this.#out.length + bytes);
    this.#out.copy(larger, 0, 0, this.#end);
    this.#out = larger;
  }

  #byte(value: number): void {
    this.#room(1);
    this.#out[this.#end++] = value;
  }

  #varint(value: number): void {
    this.#room(VARINT_BYTES);
    let rest = value;
    while (rest > 0x7f) {
      this.#out[this.#end++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#out[this.#end++] = rest;
  }

  #hash(hash: Hash): void {
    this.#room(HASH_BYTES);
    this.#end += this.#out.write(hash, this.#end, "hex");
  }

  #child(child: ChildRef | null): void {
    this.#varint(child === null ? 0 : child.count);
    if (child !== null) this.#hash(child.hash);
  }

  #key(key: string): void {
    const bytes = Buffer.from(key);
    const previous = this.#previous;
    const most = Math.min(bytes.length, previous.length);
    let shared = 0;
    while (shared < most && bytes[shared] === previous[shared]) shared++;
    this.#varint(shared);
    this.#varint(bytes.length - shared);
    this.#room(bytes.length - shared);
    this.#out.set(shared === 0 ? bytes : bytes.subarray(shared), this.#end);
    this.#end += bytes.length - shared;
    this.#previous = bytes;
  }

  #value(value: ValueRef): void {
    if ("hash" in value) {
      this.#byte(0);
      this.#hash(value.hash);
      return;
    }
    this.#room(1 + INLINE_BYTES);
    const length = this.#out.write(value.inline, this.#end + 1);
    this.#out[this.#end] = length;
    this.#end += 1 + length;
  }
}

/**
 * Decodes what `encodeNode` wrote and checks that nothing else could have: order of keys, lengths, no byte left over. It
 * trusts the hash, which the caller has compared, for what takes longer to check: see `auditNode`.
 *
 * @throws Error `object <hash> is corrupt`
 */
export function decodeNode(hash: Hash, data: Uint8Array): MapNode {
  return new NodeReader(hash, data).node();
}

/** Holds the key being read; what it shares with the one before is in place already. */
const keyBytes = Buffer.allocUnsafeSlow(LIMITS.keyBytes);

class NodeReader {
  readonly #hash: Hash;
  readonly #data: Buffer;
  /** The whole node in hexadecimal: cutting hashes out of one string is far cheaper than converting each. */
  readonly #hex: string;
  #at = 0;
  #keyLength = 0;
  #keyIsAscii = true;

  constructor(hash: Hash, data: Uint8Array) {
    this.#hash = hash;
    this.#data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    this.#hex = this.#data.toString("hex");
  }

  node(): MapNode {
    if (this.#byte() !== VERSION) throw this.#corrupt("an unknown version");
    const layer = this.#byte();
    if (layer >= LIMITS.mapDepth) throw this.#corrupt("a layer out of bounds");
    const entries = this.#varint();
    if (entries > LIMITS.nodeEntries || (entries === 0 && layer > 0)) throw this.#corrupt("a number of entries out of bounds");
    const keys: string[] = [];
    const values: ValueRef[] = [];
    const children: (ChildRef | null)[] = [];
    for (let i = 0; i < entries; i++) {
      if (layer > 0) children.push(this.#child());
      keys.push(this.#key(i === 0));
      values.push(this.#value());
    }
    if (layer > 0) children.push(this.#child());
    if (this.#at !== this.#data.length) throw this.#corrupt("bytes after its end");
    return { layer, count: countEntries(entries, children), keys, values, children: layer > 0 ? children : NO_CHILDREN };
  }

  #corrupt(why: string): Error {
    return corrupt(this.#hash, why);
  }

  #byte(): number {
    const byte = this.#data[this.#at++];
    if (byte === undefined) throw this.#corrupt("it ends too early");
    return byte;
  }

  #varint(): number {
    let value = this.#byte();
    if (value < 0x80) return value;
    value -= 0x80;
    for (let i = 1, unit = 0x80; i < VARINT_BYTES; i++, unit *= 0x80) {
      const byte = this.#byte();
      value += (byte & 0x7f) * unit;
      if (byte === 0) break;
      if (byte < 0x80) return value;
    }
    throw this.#corrupt("a number that is not written as it should be");
  }

  /** Steps over `bytes` bytes and returns where they began. */
  #take(bytes: number): number {
    const start = this.#at;
    this.#at += bytes;
    if (this.#at > this.#data.length) throw this.#corrupt("it ends too early");
    return start;
  }

  #digest(): Hash {
    const start = 2 * this.#take(HASH_BYTES);
    return this.#hex.slice(start, start + HASH_DIGITS);
  }

  #child(): ChildRef | null {
    const count = this.#varint();
    return count === 0 ? null : { hash: this.#digest(), count };
  }

  /** A key must differ from the one before in the first byte that is not shared, and be the greater one by it. */
  #key(first: boolean): string {
    const shared = this.#varint();
    const rest = this.#varint();
    const length = shared + rest;
    if (shared > this.#keyLength || length > LIMITS.keyBytes) throw this.#corrupt("a key of a wrong length");
    const start = this.#take(rest);
    const data = this.#data;
    if (!first) {
      if (rest === 0) throw this.#corrupt("keys out of order");
      if (shared < this.#keyLength && at8(data, start) <= at8(keyBytes, shared)) throw this.#corrupt("keys out of order");
    }
    if (shared === 0) this.#keyIsAscii = true;
    let bits = 0;
    for (let i = 0; i < rest; i++) {
      const byte = at8(data, start + i);
      keyBytes[shared + i] = byte;
      bits |= byte;
    }
    // Once a key with other characters was seen, the next ones may share them.
    if (bits > 0x7f) this.#keyIsAscii = false;
    this.#keyLength = length;
    return this.#keyIsAscii ? keyBytes.toString("latin1", 0, length) : this.#utf8(keyBytes, 0, length);
  }

  #value(): ValueRef {
    const length = this.#byte();
    if (length === 0) return { hash: this.#digest() };
    if (length > INLINE_BYTES) throw this.#corrupt("a value that is too long to stand in a node");
    const start = this.#take(length);
    return { inline: this.#utf8(this.#data, start, start + length) };
  }

  #utf8(bytes: Buffer, start: number, end: number): string {
    const text = bytes.toString("utf8", start, end);
    // Bytes that are not UTF-8 decode to U+FFFD, which may also stand there rightly.
    if (text.includes("\ufffd") && !Buffer.from(text).equals(bytes.subarray(start, end))) throw this.#corrupt("text that is not UTF-8");
    return text;
  }
}

function at8(bytes: Buffer, index: number): number {
  return bytes[index] as number;
}

/** The root of the empty map. No store needs to hold it. */
export const EMPTY_ROOT: Hash = nodeHash(encodeNode(EMPTY_NODE));
