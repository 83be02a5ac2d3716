import { compareKeys } from "../merkle/keys.ts";

/** A map whose keys can be walked in the order of their UTF-8 bytes. Lookups are O(1), changes O(log n) and one array move. */
export class OrderedMap<Value> {
  readonly #values = new Map<string, Value>();
  readonly #keys: string[] = [];

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: Value): void {
    if (!this.#values.has(key)) this.#keys.splice(this.#position(key), 0, key);
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#keys.splice(this.#position(key), 1);
  }

  /** At most `limit` entries with `lower` ≤ key < `upper` (`null`: to the end), from the greatest down where `reverse`. */
  slice(lower: string, upper: string | null, limit: number, reverse: boolean): [string, Value][] {
    const start = this.#position(lower);
    const end = Math.max(start, upper === null ? this.#keys.length : this.#position(upper));
    const keys = reverse
      ? this.#keys.slice(Math.max(start, end - limit), end).reverse()
      : this.#keys.slice(start, Math.min(end, start + limit));
    return keys.map((key) => [key, this.#values.get(key) as Value]);
  }

  /** Where `key` is, or where it would go. */
  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#keys[middle] ?? "", key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
