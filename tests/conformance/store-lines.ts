import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Hash, Store, StoredObject } from "../../src/ports.ts";
import { change, partitionName, type Suite, win } from "./store.ts";

/** Long, so that a change is far shorter than the object. */
const LINES = 40;

/** Objects that take one another's place: whatever a backend makes of that, nobody sees it. */
export function lines(suite: Suite): void {
  describe("objects that replace others", () => {
    it("are what they are, whatever replaced what, in any order of writing and deleting", async () => {
      const { store } = await suite.open();
      const step = fc.record({
        kind: fc.constantFrom("commit", "commit", "put", "delete"),
        /** Which texts of the pool, and which hash each is said to replace. */
        picks: fc.array(fc.tuple(fc.nat(POOL.length - 1), fc.nat(POOL.length - 1)), { minLength: 1, maxLength: 12 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
          const p = partitionName();
          const model = new Map<Hash, Uint8Array>();
          for (const { kind, picks } of steps) {
            const objects = picks.map(([at, replaced]) => ({ ...pooled(at), replaces: pooled(replaced).hash }));
            if (kind === "delete") {
              const objectDeletes = [...new Set(objects.map(({ hash }) => hash))];
              await win(store, p, change({ objectDeletes }));
              for (const hash of objectDeletes) model.delete(hash);
            } else {
              if (kind === "put") await store.objects.put(p, objects);
              else await win(store, p, change({ objects }));
              for (const { hash, data } of objects) model.set(hash, data);
            }
          }
          await expectAll(store, p, model);
        }),
        { numRuns: 40 },
      );
    });

    it("are all there after hundreds of replacements, some made in one commit, and after the store was opened again", async () => {
      const opened = await suite.open();
      const p = partitionName();
      const model = new Map<Hash, Uint8Array>();
      let last: StoredObject | null = null;
      for (let n = 0; n < 300; ) {
        const objects: StoredObject[] = [];
        for (let count = 1 + (n % 7); count > 0; count--, n++) {
          const next: StoredObject = { ...textOf(n), ...(last !== null && { replaces: last.hash }) };
          objects.push(next);
          last = next;
        }
        await win(opened.store, p, change({ objects }));
        for (const { hash, data } of objects) model.set(hash, data);
      }
      await expectAll(opened.store, p, model);
      await expectAll(await opened.reopen(), p, model);
    });

    it("stay when what they replaced is deleted, which nobody sees any more and which may come again", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const made = Array.from({ length: 20 }, (_, n) => textOf(n));
      for (const [n, object] of made.entries()) {
        const before = made[n - 1];
        await win(store, p, change({ objects: [{ ...object, ...(before && { replaces: before.hash }) }] }));
      }
      const old = made.slice(0, -1).map(({ hash }) => hash);
      await win(store, p, change({ objectDeletes: old }));
      expect(await store.objects.get(p, old)).toEqual(old.map(() => null));
      const newest = made.slice(-1);
      await expectAll(store, p, new Map(newest.map(({ hash, data }) => [hash, data])));
      const again = made.slice(3, 9);
      await win(store, p, change({ objects: again }));
      await expectAll(store, p, new Map([...newest, ...again].map(({ hash, data }) => [hash, data])));
      await win(store, p, change({ objectDeletes: [...newest, ...again].map(({ hash }) => hash) }));
      await expectAll(store, p, new Map());
    });

    it("are never lost to somebody who deletes at the same time what they replace", async () => {
      const opened = await suite.open();
      const other = (await opened.another?.()) ?? opened.store;
      const p = partitionName();
      const written = new Map<Hash, Uint8Array>();
      const deleted = new Set<Hash>();
      for (let round = 0; round < 12; round++) {
        const base = textOf(10 * round);
        await opened.store.objects.put(p, [base]);
        const next = [1, 2, 3, 4].map((n) => textOf(10 * round + n));
        const put = async (store: Store, object: StoredObject, replaces: Hash) => {
          await win(store, p, change({ objects: [{ ...object, replaces }] }));
          written.set(object.hash, object.data);
        };
        await Promise.all([
          put(opened.store, next[0] as StoredObject, base.hash),
          win(other, p, change({ objectDeletes: [base.hash] })),
          put(opened.store, next[1] as StoredObject, next[0]?.hash ?? ""),
          put(other, next[2] as StoredObject, base.hash),
          put(opened.store, next[3] as StoredObject, base.hash),
        ]);
        deleted.add(base.hash);
      }
      await expectAll(opened.store, p, written);
      await expectAll(other, p, written);
      expect((await other.objects.get(p, [...deleted])).every((data) => data === null)).toBe(true);
    });
  });
}

/** A text of which each number changes one line for good, and one for itself. */
function textOf(number: number): StoredObject {
  const words = Array.from({ length: LINES }, (_, line) => `line ${line}: ${digest(`${line}`)}`);
  for (let n = 0; n <= number; n++) words[(n * 7) % LINES] = `changed by ${n}`;
  words[number % LINES] += ` and again by ${number}`;
  const data = new TextEncoder().encode(words.join("\n"));
  return { hash: digest(data), data };
}

/** What the property writes: texts that come of one another, some far apart, and some that have nothing in common. */
const POOL: readonly StoredObject[] = [
  ...Array.from({ length: 24 }, (_, n) => textOf(n * n)),
  ...Array.from({ length: 4 }, (_, n) => {
    const data = new TextEncoder().encode(digest(`${n}`).repeat(n * 20));
    return { hash: digest(data), data };
  }),
];

function pooled(at: number): StoredObject {
  return POOL[at] as StoredObject;
}

function digest(data: string | Uint8Array): Hash {
  return createHash("sha256").update(data).digest("hex");
}

/** The partition has these objects and no others, with their bytes and sizes. */
async function expectAll(store: Store, partition: string, model: ReadonlyMap<Hash, Uint8Array>): Promise<void> {
  const hashes = [...model.keys()].sort();
  const found = await store.objects.get(partition, hashes);
  expect(found.map((data) => (data === null ? null : digest(data)))).toEqual(hashes);
  const listed = await store.objects.list(partition, null, 10_000);
  expect(listed.map(({ hash, size }) => [hash, size])).toEqual(hashes.map((hash) => [hash, model.get(hash)?.byteLength]));
}
