/**
 * One byte string written as what it takes from another, its base, and what is new in it:
 *
 *     delta = varint length of the result · part*
 *     part  = varint new bytes · those bytes · and unless the result ends here:
 *             signed varint shift · varint length of what is copied from the base
 *
 * A copy goes on where the one before it ended, past as many bytes of the base as were new in between, unless `shift` says by how much
 * elsewhere. So a value that took the place of one of the same length costs itself and three bytes. Varints are LEB128; a signed one has its
 * sign in the lowest bit.
 */
import { LIMITS } from "../limits.ts";

/** Bytes in a row that are worth a copy near the last one, and anywhere else in the base. */
const NEAR_RUN = 8;
const BLOCK = 16;
/** How far beyond a difference the next equal bytes are looked for in the same place, before they are looked for everywhere. */
const NEAR = 64;
const MULTIPLIER = 0x01000193;
/** What the byte that leaves a block has become in its hash. */
const LEAVING = Array.from({ length: BLOCK }).reduce<number>((power) => Math.imul(power, MULTIPLIER), 1);

/** Deltas are made here, and copied out when they are complete. */
let scratch = Buffer.allocUnsafeSlow(4 * 1024);

/**
 * `data` as a delta upon `base`, or `null` where that takes more than `room` bytes or either is longer than
 * `LIMITS.deltaObjectBytes`. Takes time in proportion to both.
 * @example applyDelta(base, encodeDelta(base, data, data.length)) // as many bytes as `data`, the same ones
 */
export function encodeDelta(base: Uint8Array, data: Uint8Array, room: number): Uint8Array | null {
  if (Math.max(base.length, data.length) > LIMITS.deltaObjectBytes) return null;
  const writer = new DeltaWriter(room);
  writer.number(data.length);
  const [old, fresh] = [viewOf(base), viewOf(data)];
  let blocks: Blocks | null = null;
  let end = 0;
  let shift = 0;
  while (end < data.length && writer.fits) {
    let start = nearRun(old, fresh, end, shift);
    let next = shift;
    if (start === null) {
      blocks ??= new Blocks(base);
      const found = blocks.find(data, fresh, end);
      if (found === null) break;
      [start, next] = [found.at, found.shift];
    }
    const length = equalBytes(old, start + next, fresh, start);
    writer.fresh(data, end, start);
    writer.signed(next - shift);
    writer.number(length);
    end = start + length;
    shift = next;
  }
  if (end < data.length) writer.fresh(data, end, data.length);
  return writer.done();
}

/**
 * What `encodeDelta` was given, from its base and its answer.
 * @throws Error that says what is wrong, for bytes that are no delta or not one upon this base
 */
export function applyDelta(base: Uint8Array, delta: Uint8Array): Uint8Array {
  const reader = new DeltaReader(delta);
  const size = reader.number();
  if (size > LIMITS.objectBytes) throw new Error("it would have a wrong length");
  const out = Buffer.allocUnsafeSlow(size);
  let end = 0;
  let shift = 0;
  while (end < size) {
    end += reader.fresh(out, end);
    if (end === size) break;
    shift += reader.signed();
    const length = reader.number();
    const from = end + shift;
    if (length === 0 || from < 0 || from + length > base.length || end + length > size) throw new Error("it copies what is not there");
    out.set(base.subarray(from, from + length), end);
    end += length;
  }
  reader.mustEnd();
  return out;
}

/** Bytes of what a delta, of which only the beginning need be there, stands for. */
export function resultBytes(delta: Uint8Array): number {
  return new DeltaReader(delta).number();
}

/** Where the next equal bytes begin that lie as far apart as the last ones did. */
function nearRun(base: DataView, data: DataView, from: number, shift: number): number | null {
  const last = Math.min(from + NEAR, data.byteLength - 1, base.byteLength - 1 - shift);
  for (let at = Math.max(from, -shift); at <= last; at++) {
    if (base.getUint8(at + shift) !== data.getUint8(at)) continue;
    const length = equalBytes(base, at + shift, data, at, NEAR_RUN);
    // What reaches the end is worth a copy from its third byte on.
    if (length >= NEAR_RUN || (length > 2 && at + length === data.byteLength)) return at;
    at += length;
  }
  return null;
}

/** Most bytes of most objects are equal to those of what they stand upon: looked at four at a time. */
function equalBytes(base: DataView, from: number, data: DataView, at: number, most = data.byteLength): number {
  const end = Math.min(base.byteLength - from, data.byteLength - at, most);
  let length = 0;
  while (length + 4 <= end && base.getUint32(from + length) === data.getUint32(at + length)) length += 4;
  while (length < end && base.getUint8(from + length) === data.getUint8(at + length)) length++;
  return length;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Where in the base each block of 16 bytes lies, found by a hash that rolls over the data (as rsync does it). */
class Blocks {
  readonly #base: Uint8Array;
  readonly #view: DataView;
  /** By hash: the number of a block, counted from 1. Of several the first. */
  readonly #slots: Int32Array;
  readonly #mask: number;

  constructor(base: Uint8Array) {
    this.#base = base;
    this.#view = viewOf(base);
    const count = Math.floor(base.length / BLOCK);
    this.#mask = 2 ** Math.ceil(Math.log2(2 * count + 1)) - 1;
    this.#slots = new Int32Array(this.#mask + 1);
    for (let block = count - 1; block >= 0; block--) this.#slots[this.#slot(hashAt(base, block * BLOCK))] = block + 1;
  }

  /** The next place from `from` on where the data has a block of the base, with the equal bytes before it. */
  find(data: Uint8Array, view: DataView, from: number): { at: number; shift: number } | null {
    if (from + BLOCK > data.length) return null;
    let hash = hashAt(data, from);
    for (let at = from; ; at++) {
      const block = (this.#slots[this.#slot(hash)] ?? 0) - 1;
      if (block >= 0 && equalBytes(this.#view, block * BLOCK, view, at, BLOCK) === BLOCK)
        return this.#widened(data, from, at, block * BLOCK);
      if (at + BLOCK >= data.length) return null;
      hash = (Math.imul(hash, MULTIPLIER) + byteAt(data, at + BLOCK) - Math.imul(byteAt(data, at), LEAVING)) | 0;
    }
  }

  #widened(data: Uint8Array, from: number, at: number, inBase: number): { at: number; shift: number } {
    let start = at;
    const shift = inBase - at;
    while (start > from && start + shift > 0 && data[start - 1] === this.#base[start - 1 + shift]) start--;
    return { at: start, shift };
  }

  #slot(hash: number): number {
    return (hash ^ (hash >>> 15)) & this.#mask;
  }
}

function hashAt(bytes: Uint8Array, from: number): number {
  let hash = 0;
  for (let i = 0; i < BLOCK; i++) hash = (Math.imul(hash, MULTIPLIER) + byteAt(bytes, from + i)) | 0;
  return hash;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

/** Writes no further than there is room. */
class DeltaWriter {
  readonly #room: number;
  #end = 0;

  constructor(room: number) {
    this.#room = room;
    // A number that is begun within the room is written to its end.
    if (room + BLOCK > scratch.length) scratch = Buffer.allocUnsafeSlow(Math.max(room + BLOCK, 2 * scratch.length));
  }

  get fits(): boolean {
    return this.#end <= this.#room;
  }

  number(value: number): void {
    if (!this.fits) return;
    let rest = value;
    while (rest > 0x7f) {
      scratch[this.#end++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    scratch[this.#end++] = rest;
  }

  signed(value: number): void {
    this.number(value < 0 ? -2 * value - 1 : 2 * value);
  }

  fresh(data: Uint8Array, from: number, to: number): void {
    this.number(to - from);
    const end = this.#end + to - from;
    if (end <= this.#room) scratch.set(data.subarray(from, to), this.#end);
    this.#end = end;
  }

  done(): Uint8Array | null {
    return this.fits ? Uint8Array.prototype.slice.call(scratch, 0, this.#end) : null;
  }
}

class DeltaReader {
  readonly #delta: Uint8Array;
  #at = 0;

  constructor(delta: Uint8Array) {
    this.#delta = delta;
  }

  number(): number {
    let value = 0;
    for (let unit = 1; unit <= 2 ** 28; unit *= 0x80) {
      const byte = this.#delta[this.#at++];
      if (byte === undefined) throw new Error("it ends too early");
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
    throw new Error("it holds a number that is too large");
  }

  signed(): number {
    const value = this.number();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  /** Takes new bytes over, and answers how many. */
  fresh(out: Uint8Array, end: number): number {
    const length = this.number();
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#delta.length || end + length > out.length) throw new Error("it has a wrong length");
    out.set(this.#delta.subarray(from, this.#at), end);
    return length;
  }

  mustEnd(): void {
    if (this.#at !== this.#delta.length) throw new Error("it has a wrong length");
  }
}
