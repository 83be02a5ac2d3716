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
import { objectHash } from "./hash.ts";
import { at } from "./keys.ts";
import { type ChildRef, corrupt, countEntries, EMPTY_NODE, INLINE_BYTES, type MapNode, NO_CHILDREN, type ValueRef } from "./node.ts";

const VERSION = 1;
const HASH_BYTES = 32;
const HASH_DIGITS = 64;
const VARINT_BYTES = 5;

/** What nodes are written into: grows to the largest, and each is copied out when it is complete. */
let scratch = Buffer.allocUnsafeSlow(8 * 1024);
/** More than an entry and the children on both sides of it take together. */
const ROOM = LIMITS.keyBytes + 4 * HASH_BYTES + 8 * VARINT_BYTES;
/** The key being written and the one before it, where they are not ASCII. */
const keyBuffers = [Buffer.allocUnsafeSlow(LIMITS.keyBytes), Buffer.allocUnsafeSlow(LIMITS.keyBytes)] as const;

/** Encodes a node whose keys ascend. */
export function encodeNode(node: MapNode): Uint8Array {
  const { layer, keys } = node;
  let out = scratch;
  let previous = "";
  const digests = new Digests(node);
  out[0] = VERSION;
  out[1] = layer;
  let end = writeVarint(out, 2, keys.length);
  for (let i = 0; i < keys.length; i++) {
    if (end + ROOM > out.length) {
      out = Buffer.concat([out], 2 * out.length);
      scratch = out;
    }
    if (layer > 0) end = writeChild(out, end, at(node.children, i), digests);
    const key = at(keys, i);
    end = writeKey(out, end, key, previous);
    end = writeValue(out, end, at(node.values, i), digests);
    previous = key;
  }
  if (layer > 0) end = writeChild(out, end, at(node.children, keys.length), digests);
  return Uint8Array.prototype.slice.call(out, 0, end);
}

/**
 * The same bytes as `encodeNode(node)`, made of those of another node with the same keys: what is the same object in both is copied. A node
 * has far more entries than an edit changes, and to write them anew is most of what an edit would take.
 *
 * @param bytes those of `like`
 */
export function reencodeNode(node: MapNode, like: MapNode, bytes: Uint8Array): Uint8Array {
  const { layer, values, children } = node;
  const reader = new NodeReader("", bytes);
  const out = new Splice(reader.data);
  for (let i = 0; i <= values.length; i++) {
    if (layer > 0) {
      const from = reader.at;
      reader.passChild();
      if (children[i] !== like.children[i]) out.child(from, reader.at, at(children, i));
    }
    if (i === values.length) break;
    reader.skipKey();
    const from = reader.at;
    reader.passValue();
    if (values[i] !== like.values[i]) out.value(from, reader.at, at(values, i));
  }
  return out.done();
}

/** A copy of bytes in which some parts, given in order, are others. */
class Splice {
  readonly #bytes: Buffer;
  /** So much of the bytes is copied, or replaced. */
  #passed = 0;
  #end = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  child(from: number, to: number, child: ChildRef | null): void {
    this.#copyTo(from);
    this.#end = writeChild(scratch, this.#end, child, ONE_BY_ONE);
    this.#passed = to;
  }

  value(from: number, to: number, value: ValueRef): void {
    this.#copyTo(from);
    this.#end = writeValue(scratch, this.#end, value, ONE_BY_ONE);
    this.#passed = to;
  }

  done(): Uint8Array {
    this.#copyTo(this.#bytes.length);
    return Uint8Array.prototype.slice.call(scratch, 0, this.#end);
  }

  #copyTo(place: number): void {
    const end = this.#end + place - this.#passed;
    if (end + ROOM > scratch.length) scratch = Buffer.concat([scratch], Math.max(end + ROOM, 2 * scratch.length));
    this.#bytes.copy(scratch, this.#end, this.#passed, place);
    this.#end = end;
  }
}

/** Each of these writes at `end` and returns where it stopped. */
function writeVarint(out: Buffer, end: number, value: number): number {
  let next = end;
  let rest = value;
  while (rest > 0x7f) {
    out[next++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  out[next++] = rest;
  return next;
}

function writeChild(out: Buffer, end: number, child: ChildRef | null, digests: DigestWriter): number {
  if (child === null) return writeVarint(out, end, 0);
  return digests.next(out, writeVarint(out, end, child.count), child.hash);
}

function writeKey(out: Buffer, end: number, key: string, previous: string): number {
  const most = Math.min(key.length, previous.length);
  let shared = 0;
  while (shared < most && key.charCodeAt(shared) === previous.charCodeAt(shared)) shared++;
  const next = writeVarint(out, writeVarint(out, end, shared), key.length - shared);
  return isAscii(key) ? writeAscii(out, next, key, shared) : writeUtf8Key(out, end, key, previous);
}

/** Keys whose characters take more than one byte may share a part of one. */
function writeUtf8Key(out: Buffer, end: number, key: string, previous: string): number {
  const [bytes, before] = keyBuffers;
  const length = bytes.write(key);
  const most = Math.min(length, before.write(previous));
  let shared = 0;
  while (shared < most && bytes[shared] === before[shared]) shared++;
  const next = writeVarint(out, writeVarint(out, end, shared), length - shared);
  return next + bytes.copy(out, next, shared, length);
}

function writeValue(out: Buffer, end: number, value: ValueRef, digests: DigestWriter): number {
  if ("hash" in value) {
    out[end] = 0;
    return digests.next(out, end + 1, value.hash);
  }
  const { inline } = value;
  const next = isAscii(inline) ? writeAscii(out, end + 1, inline, 0) : end + 1 + out.write(inline, end + 1);
  out[end] = next - end - 1;
  return next;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** For texts as short as these a call of the runtime takes longer than to write them. */
function writeAscii(out: Buffer, end: number, text: string, from: number): number {
  let next = end;
  for (let i = from; i < text.length; i++) out[next++] = text.charCodeAt(i);
  return next;
}

interface DigestWriter {
  /** Writes the next hash, which is `hash`. */
  next(out: Buffer, end: number, hash: Hash): number;
}

const ONE_BY_ONE: DigestWriter = { next: (out, end, hash) => end + out.write(hash, end, "hex") };

/** The hashes of a node in the order in which they are written, converted in one go: one by one takes several times as long. */
class Digests implements DigestWriter {
  readonly #bytes: Buffer;
  #at = 0;

  constructor({ values, children }: MapNode) {
    let hex = "";
    for (let i = 0; i <= values.length; i++) {
      const child = children[i];
      if (child) hex += child.hash;
      const value = values[i];
      if (value !== undefined && "hash" in value) hex += value.hash;
    }
    this.#bytes = Buffer.from(hex, "hex");
  }

  next(out: Buffer, end: number): number {
    const from = this.#at;
    for (let i = 0; i < HASH_BYTES; i++) out[end + i] = byteAt(this.#bytes, from + i);
    this.#at = from + HASH_BYTES;
    return end + HASH_BYTES;
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

/** Holds the key being read, of one node at a time; what it shares with the one before is in place already. */
const keyBytes = Buffer.allocUnsafeSlow(LIMITS.keyBytes);

/** Reads a node from its bytes: the whole of it, or part by part, passing those by that nobody asks for. */
export class NodeReader {
  readonly layer: number;
  readonly entries: number;
  readonly data: Buffer;
  /** Where the next part begins. */
  at = 0;
  readonly #hash: Hash;
  /** The whole node in hexadecimal, where all of it is read: cutting hashes out of one string is far cheaper than converting each. */
  #hex = "";
  #keyLength = 0;
  #keyIsAscii = true;

  constructor(hash: Hash, data: Uint8Array) {
    this.#hash = hash;
    this.data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    if (this.#byte() !== VERSION) throw this.#corrupt("an unknown version");
    this.layer = this.#byte();
    if (this.layer >= LIMITS.mapDepth) throw this.#corrupt("a layer out of bounds");
    this.entries = this.#varint();
    if (this.entries > LIMITS.nodeEntries || (this.entries === 0 && this.layer > 0)) {
      throw this.#corrupt("a number of entries out of bounds");
    }
  }

  node(): MapNode {
    const { layer, entries } = this;
    this.#hex = this.data.toString("hex");
    const keys: string[] = [];
    const values: ValueRef[] = [];
    const children: (ChildRef | null)[] = [];
    for (let i = 0; i < entries; i++) {
      if (layer > 0) children.push(this.child());
      this.passKey(i === 0);
      keys.push(this.key());
      values.push(this.value());
    }
    if (layer > 0) children.push(this.child());
    if (this.at !== this.data.length) throw this.#corrupt("bytes after its end");
    return { layer, count: countEntries(entries, children), keys, values, children: layer > 0 ? children : NO_CHILDREN };
  }

  #corrupt(why: string): Error {
    return corrupt(this.#hash, why);
  }

  #byte(): number {
    const byte = this.data[this.at++];
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
    const start = this.at;
    this.at += bytes;
    if (this.at > this.data.length) throw this.#corrupt("it ends too early");
    return start;
  }

  #digest(): Hash {
    const start = this.#take(HASH_BYTES);
    if (this.#hex === "") return this.data.toString("hex", start, this.at);
    return this.#hex.slice(2 * start, 2 * start + HASH_DIGITS);
  }

  child(): ChildRef | null {
    const count = this.#varint();
    return count === 0 ? null : { hash: this.#digest(), count };
  }

  passChild(): void {
    if (this.#varint() > 0) this.#take(HASH_BYTES);
  }

  /** A key must differ from the one before in the first byte that is not shared, and be the greater one by it. */
  passKey(first: boolean): void {
    const shared = this.#varint();
    const rest = this.#varint();
    const length = shared + rest;
    if (shared > this.#keyLength || length > LIMITS.keyBytes) throw this.#corrupt("a key of a wrong length");
    const start = this.#take(rest);
    const { data } = this;
    if (!first) {
      if (rest === 0) throw this.#corrupt("keys out of order");
      if (shared < this.#keyLength && byteAt(data, start) <= byteAt(keyBytes, shared)) throw this.#corrupt("keys out of order");
    }
    if (shared === 0) this.#keyIsAscii = true;
    let bits = 0;
    for (let i = 0; i < rest; i++) {
      const byte = byteAt(data, start + i);
      keyBytes[shared + i] = byte;
      bits |= byte;
    }
    // Once a key with other characters was seen, the next ones may share them.
    if (bits > 0x7f) this.#keyIsAscii = false;
    this.#keyLength = length;
  }

  /** Passes a key that nobody asks for, nor for any after it. */
  skipKey(): void {
    this.#varint();
    this.#take(this.#varint());
  }

  /** The key that was passed last. */
  key(): string {
    return this.#keyIsAscii ? keyBytes.toString("latin1", 0, this.#keyLength) : this.#utf8(keyBytes, 0, this.#keyLength);
  }

  value(): ValueRef {
    const length = this.#byte();
    if (length === 0) return { hash: this.#digest() };
    if (length > INLINE_BYTES) throw this.#corrupt("a value that is too long to stand in a node");
    const start = this.#take(length);
    return { inline: this.#utf8(this.data, start, start + length) };
  }

  passValue(): void {
    this.#take(this.#byte() || HASH_BYTES);
  }

  #utf8(bytes: Buffer, start: number, end: number): string {
    const text = bytes.toString("utf8", start, end);
    // Bytes that are not UTF-8 decode to U+FFFD, which may also stand there rightly.
    if (text.includes("\ufffd") && !Buffer.from(text).equals(bytes.subarray(start, end))) throw this.#corrupt("text that is not UTF-8");
    return text;
  }
}

function byteAt(bytes: Buffer, index: number): number {
  return bytes[index] as number;
}

/** The root of the empty map. No store needs to hold it. */
export const EMPTY_ROOT: Hash = objectHash(encodeNode(EMPTY_NODE));
