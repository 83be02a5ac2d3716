/** One entry, in line between those that came before and after it. */
interface Cell<Key, Value> {
  readonly key: Key;
  value: Value;
  older: Cell<Key, Value> | null;
  newer: Cell<Key, Value> | null;
}

/**
 * A map that tells at once which entry is its oldest, for caches that make room. JavaScript's own maps iterate in order of insertion too, but
 * walk over what was deleted at their front first: where each newcomer pushes one out, that is thousands of holes each time.
 */
export class FifoMap<Key, Value> {
  readonly #cells = new Map<Key, Cell<Key, Value>>();
  #oldest: Cell<Key, Value> | null = null;
  #newest: Cell<Key, Value> | null = null;

  get size(): number {
    return this.#cells.size;
  }

  has(key: Key): boolean {
    return this.#cells.has(key);
  }

  get(key: Key): Value | undefined {
    return this.#cells.get(key)?.value;
  }

  /** Puts the entry last in line, wherever it was. */
  set(key: Key, value: Value): void {
    const known = this.#cells.get(key);
    if (known === undefined) {
      const cell: Cell<Key, Value> = { key, value, older: null, newer: null };
      this.#cells.set(key, cell);
      this.#append(cell);
      return;
    }
    // In the place that it has in the map: what is set again and again would fill it with holes, and have it made anew.
    known.value = value;
    if (known === this.#newest) return;
    this.#unlink(known);
    this.#append(known);
  }

  delete(key: Key): void {
    const cell = this.#cells.get(key);
    if (cell === undefined) return;
    this.#cells.delete(key);
    this.#unlink(cell);
  }

  /** The key and the value of the entry that was set before all others. */
  oldest(): readonly [Key, Value] | undefined {
    return this.#oldest === null ? undefined : [this.#oldest.key, this.#oldest.value];
  }

  /** In the order in which they were set. */
  *keys(): IterableIterator<Key> {
    for (let cell = this.#oldest; cell !== null; cell = cell.newer) yield cell.key;
  }

  /** In the same order. */
  *values(): IterableIterator<Value> {
    for (let cell = this.#oldest; cell !== null; cell = cell.newer) yield cell.value;
  }

  clear(): void {
    this.#cells.clear();
    this.#oldest = null;
    this.#newest = null;
  }

  #append(cell: Cell<Key, Value>): void {
    cell.older = this.#newest;
    cell.newer = null;
    if (this.#newest === null) this.#oldest = cell;
    else this.#newest.newer = cell;
    this.#newest = cell;
  }

  #unlink(cell: Cell<Key, Value>): void {
    if (cell.older === null) this.#oldest = cell.newer;
    else cell.older.newer = cell.newer;
    if (cell.newer === null) this.#newest = cell.older;
    else cell.newer.older = cell.older;
  }
}
