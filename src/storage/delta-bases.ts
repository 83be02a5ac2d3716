import { LIMITS } from "../limits.ts";
import type { Hash, StoredObject } from "../ports.ts";
import { LineMemory } from "./line-memory.ts";
import { assemble, chainFrom, deltaAt, type Link, type Standing, seatAfter } from "./lines.ts";

/** A link that names its base. */
export interface NamedLink extends Link {
  readonly base: Hash | null;
}

/** What is sent to be stored of an object. */
export interface StoredForm {
  readonly hash: Hash;
  /** What it is a delta upon; `null` where it is whole. */
  readonly base: Hash | null;
  readonly data: Uint8Array;
}

/** The forms of the objects of one write, and what to remember once they are stored. */
export interface Encoded {
  readonly forms: readonly StoredForm[];
  readonly made: readonly Standing[];
}

/** The links of these objects and of all that they stand upon. */
type LoadLinks = (partition: string, hashes: readonly Hash[]) => Promise<readonly NamedLink[]>;

/**
 * Encodes objects for a store on another machine, upon what was written or loaded lately. It may be out of date: the store itself looks whether
 * what an object is to stand upon is there, and whoever is refused sends whole objects (see `whole`) and calls `forget`.
 */
export class DeltaBases {
  readonly #load: LoadLinks;
  readonly #memory = new LineMemory<Standing>();

  constructor(load: LoadLinks) {
    this.#load = load;
  }

  /** For objects that are written one after another, each of which may replace one before it. */
  async encode(partition: string, objects: readonly StoredObject[]): Promise<Encoded> {
    const made = new Map<Hash, Standing>();
    const known = (hash: Hash) => made.get(hash) ?? this.#memory.get(partition, hash);
    const seat = (hash: Hash) => {
      const replaced = known(hash);
      return replaced === undefined ? undefined : seatAfter(replaced, known);
    };
    const own = new Set(objects.map(({ hash }) => hash));
    const mayBeDelta = ({ data }: StoredObject) => data.length >= LIMITS.deltaMinBytes && data.length <= LIMITS.deltaObjectBytes;
    const replaced = new Set(
      objects.filter(mayBeDelta).flatMap(({ replaces }) => (replaces === undefined || own.has(replaces) ? [] : [replaces])),
    );
    await this.#fetch(
      partition,
      [...replaced].filter((hash) => seat(hash) === undefined),
    );
    const forms = objects.map(({ hash, data, replaces }) => {
      const free = replaces === undefined ? null : seat(replaces);
      const delta = free ? deltaAt(free, data) : null;
      const [place, base] = free && delta !== null ? [free.place, free.base.hash] : [0, null];
      // What is stored already stays as it is, whatever is sent.
      if (known(hash) === undefined) made.set(hash, { hash, place, base, bytes: data });
      return { hash, base, data: delta ?? data };
    });
    return { forms, made: [...made.values()] };
  }

  /** Remembers what is stored. */
  keep(partition: string, made: readonly Standing[]): void {
    for (const one of made) this.#memory.keep(partition, one);
  }

  forget(): void {
    this.#memory.clear();
  }

  /** A few at a time, and no more than can be remembered: not to know what an object could stand upon costs room and nothing else. */
  async #fetch(partition: string, hashes: readonly Hash[]): Promise<void> {
    let bytes = 0;
    for (let from = 0; from < hashes.length && bytes < LIMITS.deltaBaseBytes / 2; from += LIMITS.deltaFetched) {
      bytes += await this.#fetchSome(partition, hashes.slice(from, from + LIMITS.deltaFetched));
    }
  }

  /** Answers how many bytes came. */
  async #fetchSome(partition: string, hashes: readonly Hash[]): Promise<number> {
    const loaded = await this.#load(partition, hashes).catch(() => []);
    const links = new Map(loaded.map((link) => [link.hash, link]));
    for (const hash of hashes) {
      const link = links.get(hash);
      if (link === undefined) continue;
      const chain = chainFrom(link, ({ base }) => links.get(base ?? ""));
      this.keep(
        partition,
        assemble(chain).map(({ link: _, ...standing }) => standing),
      );
    }
    return loaded.reduce((sum, { data }) => sum + data.length, 0);
  }
}

/** Objects as they are. */
export function whole(objects: readonly StoredObject[]): readonly StoredForm[] {
  return objects.map(({ hash, data }) => ({ hash, base: null, data }));
}
