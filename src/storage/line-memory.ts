import { LIMITS } from "../limits.ts";
import type { Hash } from "../ports.ts";
import type { Standing } from "./lines.ts";

/** Bytes of memory that an object takes besides its own, about. */
const OVERHEAD = 300;
/** What is kept where there is no room any more: to make some for each newcomer would take longer than the rest of it. */
const LEFT_BYTES = LIMITS.deltaBaseBytes * 0.75;

/** Objects that were written or loaded lately, put together, so that what replaces them need not be read again to be stored. */
export class LineMemory<One extends Standing> {
  readonly #known = new Map<string, One>();
  #bytes = 0;

  get(partition: string | number, hash: Hash): One | undefined {
    return this.#known.get(nameOf(partition, hash));
  }

  keep(partition: string | number, one: One): void {
    const name = nameOf(partition, one.hash);
    if (this.#known.has(name) || one.bytes.length > LIMITS.deltaObjectBytes) return;
    this.#known.set(name, one);
    this.#bytes += one.bytes.length + OVERHEAD;
    if (this.#bytes > LIMITS.deltaBaseBytes) this.#makeRoom();
  }

  clear(): void {
    this.#known.clear();
    this.#bytes = 0;
  }

  /** The oldest go first: a map iterates in order of insertion. */
  #makeRoom(): void {
    for (const [name, { bytes }] of this.#known) {
      if (this.#bytes <= LEFT_BYTES) return;
      this.#known.delete(name);
      this.#bytes -= bytes.length + OVERHEAD;
    }
  }
}

function nameOf(partition: string | number, hash: Hash): string {
  return `${partition} ${hash}`;
}
