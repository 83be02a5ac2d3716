import { describe, expect, it } from "vitest";
import { change, hash, object, partitionName, put, type Suite, type WriteKind, win } from "./store.ts";

const KINDS: readonly WriteKind[] = ["document put", "document delete", "object put", "object delete", "revision"];

export function failures(suite: Suite): void {
  const title = suite.noFailures === null ? "" : ` (skipped: ${suite.noFailures})`;
  describe.skipIf(suite.noFailures !== null)(`a commit that fails inside the database${title}`, () => {
    it.each(KINDS)("at a write of kind %s, is all or nothing", async (kind) => {
      const opened = await suite.open();
      const { store } = opened;
      const p = partitionName();
      const before = change({
        puts: [
          { key: "old", value: 1 },
          { key: "doomed", value: 1 },
        ],
        objects: [object("aa")],
      });
      const revision = await win(store, p, before);
      const everything = {
        checks: [{ key: "old", revision }],
        puts: [
          { key: "new", value: 2 },
          { key: "old", value: 2 },
        ],
        deletes: ["doomed"],
        objects: [object("bb")],
        objectDeletes: [hash("aa")],
      };

      const mend = await opened.failWrites?.(kind, p);
      await expect(store.commit(p, everything)).rejects.toMatchObject({ name: "AppError" });
      expect((await store.list(p, { prefix: "", limit: 9 })).map(({ key, value }) => [key, value])).toEqual([
        ["doomed", 1],
        ["old", 1],
      ]);
      expect((await store.objects.list(p, null, 9)).map((info) => info.hash)).toEqual([hash("aa")]);
      expect(await store.revision([p])).toEqual([revision]);

      await mend?.();
      await win(store, p, everything);
      expect((await store.list(p, { prefix: "", limit: 9 })).map(({ key, value }) => [key, value])).toEqual([
        ["new", 2],
        ["old", 2],
      ]);
      expect((await store.objects.list(p, null, 9)).map((info) => info.hash)).toEqual([hash("bb")]);
    });

    it("does not disturb those that arrived in the same turn", async () => {
      const opened = await suite.open();
      const { store } = opened;
      const [healthy, failing] = [partitionName(), partitionName()];
      await win(store, failing, put("a", 0));
      const mend = await opened.failWrites?.("document put", failing);
      const results = await Promise.allSettled([
        store.commit(healthy, put("before", 1)),
        store.commit(failing, put("a", 1)),
        store.commit(healthy, put("after", 1)),
      ]);
      expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
      expect((await store.get(healthy, ["before", "after"])).map((entry) => entry?.value)).toEqual([1, 1]);
      expect((await store.get(failing, ["a"]))[0]?.value).toBe(0);
      await mend?.();
    });
  });
}
