import { LIMITS } from "../limits.ts";
import type { Hash } from "../ports.ts";
import type { Standing } from "./lines.ts";

/** Bytes of memory that an object takes besides its own, about. */
const OVERHEAD = 300;
/** What is kept where there is no room any more: to make some for each newcomer would take longer than the rest of it. */
const LEFT_BYTES = LIMITS.deltaBaseBytes * 0.75;

/** Of the oldest, those that each newcomer looks at: more than one, so that what is old goes faster than others come. */
const LOOKS = 2;

interface Known<One> {
  readonly one: One;
  readonly since: number;
}

/** Objects that were written or loaded lately, put together, so that what replaces them need not be read again to be stored. */
export class LineMemory<One extends Standing> {
  readonly #known = new Map<string, Known<One>>();
  readonly #now: () => number;
  #bytes = 0;

  /** `now`: milliseconds of any clock that does not run backwards. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get(partition: string | number, hash: Hash): One | undefined {
    return this.#known.get(nameOf(partition, hash))?.one;
  }

  keep(partition: string | number, one: One): void {
    const name = nameOf(partition, one.hash);
    if (this.#known.has(name) || one.bytes.length > LIMITS.deltaObjectBytes) return;
    const now = this.#now();
    this.#forgetOld(now);
    this.#known.set(name, { one, since: now });
    this.#bytes += one.bytes.length + OVERHEAD;
    if (this.#bytes > LIMITS.deltaBaseBytes) this.#makeRoom();
  }

  clear(): void {
    this.#known.clear();
    this.#bytes = 0;
  }

  #forgetOld(now: number): void {
    let looks = LOOKS;
    for (const [name, { one, since }] of this.#known) {
      if (looks-- === 0 || now - since <= LIMITS.cacheIdleMs) return;
      this.#forget(name, one);
    }
  }

  /** The oldest go first: a map iterates in order of insertion. */
  #makeRoom(): void {
    for (const [name, { one }] of this.#known) {
      if (this.#bytes <= LEFT_BYTES) return;
      this.#forget(name, one);
    }
  }

  #forget(name: string, { bytes }: One): void {
    this.#known.delete(name);
    this.#bytes -= bytes.length + OVERHEAD;
  }
}

function nameOf(partition: string | number, hash: Hash): string {
  return `${partition} ${hash}`;
}
