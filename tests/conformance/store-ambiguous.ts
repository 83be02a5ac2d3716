import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Change, CommitResult, Store } from "../../src/ports.ts";
import { change, partitionName, put, read, type Suite, win } from "./store.ts";

type Fault = "answer lost" | "request lost";

export function ambiguousCommits(suite: Suite): void {
  describe("a commit whose answer is lost", () => {
    it.each<Fault>(["answer lost", "request lost"])(
      "(%s) is told by reading back its op document, and takes effect once",
      async (fault) => {
        const { store } = await suite.open();
        const p = partitionName();
        await win(store, p, put("counter", 0));
        const flaky = failingOnce(store, fault);
        await increment(flaky, p);
        expect(flaky.failures).toBe(1);
        expect(await read(store, p, "counter")).toBe(1);
      },
    );
  });
}

/** The store with one commit that throws: after it took effect, or before it was sent. */
function failingOnce(store: Store, fault: Fault): Store & { readonly failures: number } {
  let failures = 0;
  const commit = async (partition: string, what: Change): Promise<CommitResult> => {
    if (failures > 0) return store.commit(partition, what);
    failures++;
    if (fault === "answer lost") await store.commit(partition, what);
    throw new Error("The connection was reset.");
  };
  return {
    get: (partition, keys) => store.get(partition, keys),
    list: (partition, range) => store.list(partition, range),
    revision: (partitions) => store.revision(partitions),
    commit,
    objects: store.objects,
    watch: (handlers) => store.watch(handlers),
    now: () => store.now(),
    close: () => store.close(),
    get failures() {
      return failures;
    },
  };
}

/** What a caller does: one id for all attempts, and a look for it after a throw. */
async function increment(store: Store, partition: string): Promise<void> {
  const op = `op/${randomUUID()}`;
  for (let attempt = 0; attempt < 5; attempt++) {
    const [counter, done] = await store.get(partition, ["counter", op]);
    if (done) return;
    if (!counter) throw new Error("The counter is gone.");
    const checks = [{ key: "counter", revision: counter.revision }];
    const puts = [
      { key: "counter", value: Number(counter.value) + 1 },
      { key: op, value: {} },
    ];
    try {
      if ((await store.commit(partition, change({ checks, puts }))).ok) return;
    } catch {
      // Unknown: the next attempt begins by reading back.
    }
  }
  throw new Error("Five attempts were not enough.");
}
