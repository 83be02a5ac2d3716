import { randomUUID } from "node:crypto";
import { afterEach, describe } from "vitest";
import type { Change, Hash, Json, Key, Store, StoredObject } from "../../src/ports.ts";
import { ambiguousCommits } from "./store-ambiguous.ts";
import { commits } from "./store-commits.ts";
import { failures } from "./store-failures.ts";
import { lifetime } from "./store-lifetime.ts";
import { lines } from "./store-lines.ts";
import { objects } from "./store-objects.ts";
import { ranges } from "./store-ranges.ts";
import { reads } from "./store-reads.ts";
import { sharing } from "./store-sharing.ts";
import { turns } from "./store-turns.ts";

/** One kind of write, as the database sees it. */
export type WriteKind = "document put" | "document delete" | "object put" | "object delete" | "revision";

/** A store under test, with what a test needs beyond the interface. */
export interface Opened {
  readonly store: Store;
  /** Closes the store if need be and opens the same data again. */
  reopen(): Promise<Store>;
  /** Opens the same data once more, beside the first, as another engine does. Left out where only one may have it open. */
  another?(): Promise<Store>;
  /** Makes everything stored so far look this many milliseconds older: by the store's clock or by the times it keeps. */
  age(ms: number): Promise<void>;
  /**
   * Makes every write of this kind in `partition` fail inside the database until the returned function is called.
   * A backend that cannot fail half-way leaves this out, and the suite says that it skips.
   */
  failWrites?(kind: WriteKind, partition: string): Promise<() => Promise<void>>;
  /** How many wait for a turn at `partition`. Left out where a turn is asked for at once, or there is none. */
  turnsWaiting?(partition: string): Promise<number>;
  /** Closes everything and takes the data away. */
  dispose(): Promise<void>;
}

/** What each group of tests works with. */
export interface Suite {
  /** A store that is disposed of when the test ends. */
  open(): Promise<Opened>;
  /** Why the failure tests cannot run; `null` where they can. */
  readonly noFailures: string | null;
  /** Why no second engine can share the data; `null` where it can. */
  readonly notShared: string | null;
}

/**
 * Everything that the domain relies on, as tests. Every backend runs it unchanged, behind the checking layer:
 *
 * ```ts
 * storeConformance("memory", openMemory, { noFailures: "memory has no write that can fail half-way" });
 * ```
 */
export function storeConformance(
  name: string,
  open: () => Promise<Opened>,
  options: { readonly noFailures?: string; readonly notShared?: string } = {},
): void {
  describe(`${name} store`, () => {
    const opened: Opened[] = [];
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.dispose();
    });
    const suite: Suite = {
      async open() {
        const one = await open();
        opened.push(one);
        return one;
      },
      noFailures: options.noFailures ?? null,
      notShared: options.notShared ?? null,
    };
    commits(suite);
    failures(suite);
    ambiguousCommits(suite);
    reads(suite);
    ranges(suite);
    objects(suite);
    lines(suite);
    lifetime(suite);
    sharing(suite);
    turns(suite);
  });
}

const NOTHING: Change = { checks: [], puts: [], deletes: [], objects: [], objectDeletes: [] };

export function change(parts: Partial<Change>): Change {
  return { ...NOTHING, ...parts };
}

export function put(key: Key, value: Json): Change {
  return change({ puts: [{ key, value }] });
}

/** A partition of its own for each test, so that backends on a shared server need no cleaning in between. */
export function partitionName(): string {
  return `test-${randomUUID()}`;
}

/** Commits, and answers the revision; fails the test where the commit loses. */
export async function win(store: Store, partition: string, what: Change): Promise<number> {
  const result = await store.commit(partition, what);
  if (!result.ok) throw new Error("The commit lost a race that it should have won.");
  return result.revision;
}

export async function read(store: Store, partition: string, key: Key): Promise<Json | undefined> {
  const [entry] = await store.get(partition, [key]);
  return entry?.value;
}

/** An object whose hash is the hexadecimal `digits`, filled up with zeros. */
export function object(digits: string, data: Uint8Array | string = digits): StoredObject {
  return { hash: hash(digits), data: typeof data === "string" ? new TextEncoder().encode(data) : data };
}

export function hash(digits: string): Hash {
  return digits.padEnd(64, "0");
}
