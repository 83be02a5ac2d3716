import { FifoMap } from "../fifo-map.ts";
import { LIMITS } from "../limits.ts";
import type { Hash } from "../ports.ts";
import type { Standing } from "./lines.ts";

/** Bytes of memory that an object takes besides its own, about. */
const OVERHEAD = 300;

/** Bytes of memory that are taken at a time: objects come by the dozen, and each alone would cost more to get and to give back than to fill. */
const SLAB = 256 * 1024;

/** Of the oldest, those that each newcomer looks at: more than one, so that what is old goes faster than others come. */
const LOOKS = 2;

interface Place {
  readonly partition: string | number;
  readonly since: number;
}

/** Objects that were written or loaded lately, put together, so that what replaces them need not be read again to be stored. */
export class LineMemory<One extends Standing> {
  readonly #known = new Map<string | number, Map<Hash, One>>();
  /** The same, in the order in which they came. */
  readonly #line = new FifoMap<One, Place>();
  readonly #now: () => number;
  #bytes = 0;
  /** What newcomers are copied into. */
  #slab = new Uint8Array(0);
  #filled = 0;

  /** `now`: milliseconds of any clock that does not run backwards. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get(partition: string | number, hash: Hash): One | undefined {
    return this.#known.get(partition)?.get(hash);
  }

  /** Keeps a copy of its bytes: they may be a window into a larger buffer, or be used again. */
  keep(partition: string | number, one: One): void {
    const known = this.#known.get(partition) ?? new Map<Hash, One>();
    if (known.has(one.hash) || one.bytes.length > LIMITS.deltaObjectBytes) return;
    const now = this.#now();
    const kept = { ...one, bytes: this.#copyOf(one.bytes) };
    known.set(one.hash, kept);
    this.#known.set(partition, known);
    this.#line.set(kept, { partition, since: now });
    this.#bytes += one.bytes.length + OVERHEAD;
    this.#makeRoom(now);
  }

  clear(): void {
    this.#known.clear();
    this.#line.clear();
    this.#bytes = 0;
  }

  /** Objects go in the order in which they came, and a slab goes with the last of its own. */
  #copyOf(bytes: Uint8Array): Uint8Array {
    if (bytes.length > SLAB / 4) return Uint8Array.prototype.slice.call(bytes);
    if (this.#filled + bytes.length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB);
      this.#filled = 0;
    }
    const copy = new Uint8Array(this.#slab.buffer, this.#filled, bytes.length);
    copy.set(bytes);
    this.#filled += bytes.length;
    return copy;
  }

  #makeRoom(now: number): void {
    let looks = LOOKS;
    for (let oldest = this.#line.oldest(); oldest !== undefined; oldest = this.#line.oldest()) {
      const [one, { partition, since }] = oldest;
      const isOld = looks-- > 0 && now - since > LIMITS.cacheIdleMs;
      if (!isOld && this.#bytes <= LIMITS.deltaBaseBytes) return;
      this.#line.delete(one);
      const known = this.#known.get(partition);
      known?.delete(one.hash);
      if (known?.size === 0) this.#known.delete(partition);
      this.#bytes -= one.bytes.length + OVERHEAD;
    }
  }
}
