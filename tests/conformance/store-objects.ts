import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { change, hash, object, partitionName, type Suite, win } from "./store.ts";

const HOURS = 3_600_000;

export function objects(suite: Suite): void {
  describe("objects", () => {
    it("come back byte for byte, in the order asked, null where there is none", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
      await store.objects.put(p, [object("aa", bytes), object("bb", new Uint8Array(0))]);
      await win(store, p, change({ objects: [object("cc", "in a commit")] }));
      const [cc, none, aa, bb] = await store.objects.get(p, [hash("cc"), hash("dd"), hash("aa"), hash("bb")]);
      expect(Buffer.from(cc ?? []).toString()).toBe("in a commit");
      expect(none).toBeNull();
      expect([...(aa ?? [])]).toEqual([...bytes]);
      expect(bb?.byteLength).toBe(0);
    });

    it("keep what was put, though the caller's buffer is used again", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const buffer = new Uint8Array([1, 2, 3, 4]);
      await store.objects.put(p, [object("aa", buffer.subarray(1, 3))]);
      buffer.fill(9);
      const [data] = await store.objects.get(p, [hash("aa")]);
      expect([...(data ?? [])]).toEqual([2, 3]);
    });

    it("may be as large as the bound, and no larger", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      await store.objects.put(p, [object("aa", new Uint8Array(LIMITS.objectBytes).fill(7))]);
      const [data] = await store.objects.get(p, [hash("aa")]);
      expect(data?.byteLength).toBe(LIMITS.objectBytes);
      expect(data?.every((byte) => byte === 7)).toBe(true);
      await expect(store.objects.put(p, [object("bb", new Uint8Array(LIMITS.objectBytes + 1))])).rejects.toMatchObject({
        code: "too_large",
      });
    });

    it("belong to one partition", async () => {
      const { store } = await suite.open();
      const [p, q] = [partitionName(), partitionName()];
      await store.objects.put(p, [object("aa")]);
      expect(await store.objects.get(q, [hash("aa")])).toEqual([null]);
      expect(await store.objects.list(q, null, 10)).toEqual([]);
      await win(store, q, change({ objectDeletes: [hash("aa")] }));
      expect((await store.objects.get(p, [hash("aa")]))[0]).not.toBeNull();
    });

    it("put ahead of a commit leave the partition's revision alone", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      await store.objects.put(p, [object("aa")]);
      expect(await store.revision([p])).toEqual([0]);
    });

    it("are listed by ascending hash, page by page, with size and time", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      // Among them hashes that share their first 8 bytes, so that an index of prefixes has ties to order.
      const hashes = Array.from(
        { length: 60 },
        (_, n) => `${n % 3 === 0 ? "0123456789abcdef" : ""}${(n * 37).toString(16).padStart(4, "0")}`,
      );
      const before = (await store.now()).getTime();
      await store.objects.put(p, hashes.map((digits) => object(digits)).reverse());
      const seen = [];
      for (let after: string | null = null; ; ) {
        const page = await store.objects.list(p, after, 7);
        if (page.length === 0) break;
        seen.push(...page);
        after = page.at(-1)?.hash ?? null;
      }
      expect(seen.map((info) => info.hash)).toEqual(hashes.map(hash).sort());
      for (const info of seen) {
        expect(info.size).toBeGreaterThan(0);
        expect(info.storedAt).toBeGreaterThanOrEqual(before - 1000);
        expect(info.storedAt).toBeLessThanOrEqual((await store.now()).getTime() + 1000);
      }
    });

    it("are renewed by putting them again, in a commit or ahead of it, and by nothing else", async () => {
      const opened = await suite.open();
      const { store } = opened;
      const p = partitionName();
      await store.objects.put(p, [object("aa", "kept"), object("bb"), object("cc")]);
      await opened.age(2 * HOURS);
      await store.objects.put(p, [object("aa", "kept")]);
      await win(store, p, change({ objects: [object("bb")] }));
      await store.objects.get(p, [hash("cc")]);
      const now = (await store.now()).getTime();
      const [aa, bb, cc] = (await store.objects.list(p, null, 10)).map(({ storedAt }) => now - storedAt);
      expect(aa).toBeLessThan(1 * HOURS);
      expect(bb).toBeLessThan(1 * HOURS);
      expect(cc).toBeGreaterThanOrEqual(2 * HOURS - 1000);
      expect(Buffer.from((await store.objects.get(p, [hash("aa")]))[0] ?? []).toString()).toBe("kept");
    });

    it("go when a commit deletes them, and may come again", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      await store.objects.put(p, [object("aa"), object("bb")]);
      await win(store, p, change({ objectDeletes: [hash("aa"), hash("dd")] }));
      expect((await store.objects.list(p, null, 10)).map((info) => info.hash)).toEqual([hash("bb")]);
      await win(store, p, change({ objects: [object("aa", "again")] }));
      expect(Buffer.from((await store.objects.get(p, [hash("aa")]))[0] ?? []).toString()).toBe("again");
    });

    it("given twice in one write are stored once", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      await win(store, p, change({ objects: [object("aa"), object("aa")] }));
      await store.objects.put(p, [object("bb"), object("bb")]);
      expect(await store.objects.list(p, null, 10)).toHaveLength(2);
    });
  });
}
