import { FifoMap } from "../fifo-map.ts";
import { LIMITS } from "../limits.ts";
import type { Hash } from "../ports.ts";
import type { Standing } from "./lines.ts";

/** Bytes of memory that an object takes besides its own, about. */
const OVERHEAD = 300;

/** Of the oldest, those that each newcomer looks at: more than one, so that what is old goes faster than others come. */
const LOOKS = 2;

interface Known<One> {
  readonly one: One;
  readonly since: number;
}

/** Objects that were written or loaded lately, put together, so that what replaces them need not be read again to be stored. */
export class LineMemory<One extends Standing> {
  readonly #known = new FifoMap<string, Known<One>>();
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
    this.#known.set(name, { one, since: now });
    this.#bytes += one.bytes.length + OVERHEAD;
    this.#makeRoom(now);
  }

  clear(): void {
    this.#known.clear();
    this.#bytes = 0;
  }

  #makeRoom(now: number): void {
    let looks = LOOKS;
    for (let oldest = this.#known.oldest(); oldest !== undefined; oldest = this.#known.oldest()) {
      const [name, { one, since }] = oldest;
      const isOld = looks-- > 0 && now - since > LIMITS.cacheIdleMs;
      if (!isOld && this.#bytes <= LIMITS.deltaBaseBytes) return;
      this.#known.delete(name);
      this.#bytes -= one.bytes.length + OVERHEAD;
    }
  }
}

function nameOf(partition: string | number, hash: Hash): string {
  return `${partition} ${hash}`;
}
