import { describe, expect, it, vi } from "vitest";
import type { Store, Subscription } from "../../src/ports.ts";
import { change, hash, object, partitionName, put, read, type Suite, win } from "./store.ts";

export function lifetime(suite: Suite): void {
  reopening(suite);
  watching(suite);
}

function reopening(suite: Suite): void {
  describe("closing and opening again", () => {
    it("returns everything that was acknowledged", async () => {
      const opened = await suite.open();
      const partitions = Array.from({ length: 5 }, partitionName);
      const revisions = await Promise.all(
        partitions.map(async (p, n) => {
          await opened.store.objects.put(p, [object("aa", `object ${n}`)]);
          await win(
            opened.store,
            p,
            change({
              puts: [
                { key: "a", value: n },
                { key: "b", value: n },
              ],
              objects: [object("bb")],
            }),
          );
          return win(opened.store, p, change({ deletes: ["b"] }));
        }),
      );
      const store = await opened.reopen();
      expect(await store.revision(partitions)).toEqual(revisions);
      for (const [n, p] of partitions.entries()) {
        expect((await store.list(p, { prefix: "", limit: 9 })).map(({ key, value }) => [key, value])).toEqual([["a", n]]);
        const [aa, bb] = await store.objects.get(p, [hash("aa"), hash("bb")]);
        expect(Buffer.from(aa ?? []).toString()).toBe(`object ${n}`);
        expect(bb).not.toBeNull();
      }
    });

    it("finishes the commits that were accepted before", async () => {
      const opened = await suite.open();
      const p = partitionName();
      const accepted = Array.from({ length: 50 }, (_, n) => opened.store.commit(p, put(`k/${n}`, n)));
      await opened.store.close();
      for (const result of await Promise.all(accepted)) expect(result.ok).toBe(true);
      const store = await opened.reopen();
      expect(await store.list(p, { prefix: "k/", limit: 100 })).toHaveLength(50);
    });

    it("lets a closed store refuse every call, and be closed again", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      await store.close();
      const calls: (() => Promise<unknown>)[] = [
        () => store.get(p, ["a"]),
        () => store.list(p, { prefix: "", limit: 1 }),
        () => store.revision([p]),
        () => store.commit(p, put("a", 1)),
        () => store.objects.get(p, [hash("aa")]),
        () => store.objects.put(p, [object("aa")]),
        () => store.objects.list(p, null, 1),
        () => store.now(),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "shutting_down" });
      expect(() => store.watch({ onChange() {}, onGap() {} })).toThrow(expect.objectContaining({ code: "shutting_down" }));
      await store.close();
    });

    it("has a clock", async () => {
      const { store } = await suite.open();
      expect(Math.abs((await store.now()).getTime() - Date.now())).toBeLessThan(60_000);
    });
  });
}

function watching(suite: Suite): void {
  describe("watching", () => {
    it("tells of each commit once it can be read, up to the newest revision", async () => {
      const { store } = await suite.open();
      const partitions = [partitionName(), partitionName()];
      const seen = new Map<string, number>();
      const looks: Promise<void>[] = [];
      const watch = watchUntil(store, (partition, revision) => {
        if (!partitions.includes(partition)) return;
        looks.push(store.revision([partition]).then(([now]) => expect(now).toBeGreaterThanOrEqual(revision)));
        expect(revision).toBeGreaterThan(seen.get(partition) ?? 0);
        seen.set(partition, revision);
      });
      const newest = await Promise.all(
        partitions.map(async (p) => (await Promise.all(Array.from({ length: 20 }, (_, n) => win(store, p, put(`k/${n}`, n))))).at(-1)),
      );
      await watch.until(() => partitions.every((p, index) => seen.get(p) === newest[index]));
      await Promise.all(looks);
      watch.close();
    });

    it("stays silent about lost races, and about objects put ahead of a commit", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const first = await win(store, p, put("a", 1));
      const seen: number[] = [];
      const watch = watchUntil(store, (partition, revision) => void (partition === p && seen.push(revision)));
      await store.commit(p, change({ checks: [{ key: "a", revision: null }], puts: [{ key: "a", value: 2 }] }));
      await store.objects.put(p, [object("aa")]);
      const second = await win(store, p, put("a", 3));
      await watch.until(() => seen.includes(second));
      // The commit before the watch may be told late; nothing else may.
      expect(seen.filter((revision) => revision !== first)).toEqual([second]);
      watch.close();
    });

    it("ends with the subscription", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const seen: number[] = [];
      const stays = watchUntil(store, () => {});
      const leaves = store.watch({ onChange: (partition, revision) => void (partition === p && seen.push(revision)), onGap() {} });
      leaves.close();
      leaves.close();
      const revision = await win(store, p, put("a", 1));
      await stays.until(() => stays.seen(p, revision));
      expect(seen).toEqual([]);
      stays.close();
    });

    it("survives a handler that throws: others are told, and the commit stands", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const warning = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
      const faulty = store.watch({
        onChange() {
          throw new Error("faulty watcher");
        },
        onGap() {},
      });
      const watch = watchUntil(store, () => {});
      const revision = await win(store, p, put("a", 1));
      await watch.until(() => watch.seen(p, revision));
      expect(warning).toHaveBeenCalledWith(expect.stringContaining("faulty watcher"), expect.anything());
      warning.mockRestore();
      expect(await read(store, p, "a")).toBe(1);
      faulty.close();
      watch.close();
    });
  });
}

interface Watch extends Subscription {
  /** Resolves once the condition holds, looked at after each event. */
  until(condition: () => boolean): Promise<void>;
  seen(partition: string, revision: number): boolean;
}

function watchUntil(store: Store, onChange: (partition: string, revision: number) => void): Watch {
  const newest = new Map<string, number>();
  const waiting: { condition: () => boolean; resolve: () => void }[] = [];
  const subscription = store.watch({
    onChange(partition, revision) {
      newest.set(partition, revision);
      onChange(partition, revision);
      for (const { condition, resolve } of waiting) if (condition()) resolve();
    },
    onGap() {},
  });
  return {
    until: (condition) => (condition() ? Promise.resolve() : new Promise((resolve) => waiting.push({ condition, resolve }))),
    seen: (partition, revision) => (newest.get(partition) ?? 0) >= revision,
    close: () => subscription.close(),
  };
}
