import { expect, test } from "vitest";
import { systemKeys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Sink, Store } from "../../src/ports.ts";
import { memoryStore, openVault, TestClock, wrapped } from "../domain/support.ts";
import { deliverer, openSending } from "./support.ts";

/** The store, and how often each of its methods was called. */
function counted(store: Store): { readonly store: Store; readonly calls: Record<"get" | "list" | "commit", number>; reset(): void } {
  const calls = { get: 0, list: 0, commit: 0 };
  return {
    calls,
    reset: () => void Object.assign(calls, { get: 0, list: 0, commit: 0 }),
    store: wrapped(store, {
      get: (...given) => {
        calls.get++;
        return store.get(...given);
      },
      list: (...given) => {
        calls.list++;
        return store.list(...given);
      },
      commit: (...given) => {
        calls.commit++;
        return store.commit(...given);
      },
    }),
  };
}

const taker: Sink = { name: "test", send: async () => "taken" };

test("a record that is sent costs a few calls of the store, and many that wait share them", async () => {
  const clock = new TestClock();
  const memory = memoryStore(clock);
  const { store, calls, reset } = counted(memory);
  const quiet = await openSending({ store: memory });
  await quiet.project.create("staging");
  const sending = await openSending({ store, vault: quiet.vault, sinks: [taker], deliverer: deliverer() });
  await sending.settled();

  await quiet.project.configure("staging", { vars: { A: "1" } });
  reset();
  await sending.settled();
  // Which webhooks there are, and the state; the records; the lease and the cursor.
  expect(calls).toEqual({ get: 2, list: 1, commit: 2 });

  await sending.domain.sinks.stop();
  for (let index = 0; index < 1_000; index++) await quiet.project.configure("staging", { vars: { A: String(index + 2) } });
  const next = await openSending({ store, vault: quiet.vault, sinks: [taker], deliverer: deliverer() });
  reset();
  await next.settled();
  expect((await next.sink("test")).backlog).toBe(0);
  const { get, list, commit } = calls;
  expect(commit).toBeLessThanOrEqual(1_000 / LIMITS.sinkBatch + (2 * 1_000) / LIMITS.sinkPage + 2);
  expect(get + list).toBeLessThan(1_000 / 10);
});

test("what a writer waits for is the same with a sink as without", async () => {
  const commits = async (sinks: readonly Sink[]) => {
    const { store, calls, reset } = counted(memoryStore());
    const { project, settled, domain } = await openSending({ store, sinks });
    await project.create("staging");
    await settled();
    let atReply = { ...calls };
    reset();
    await project.configure("staging", { vars: { A: "1" } }).then(() => {
      atReply = { ...calls };
    });
    await domain.sinks.idle();
    return atReply;
  };
  expect(await commits([taker])).toEqual(await commits([]));
});

test("a thousand projects in which nothing happens cost nothing", async () => {
  const { store, calls, reset } = counted(memoryStore());
  const hints = Array.from({ length: 1_000 }, (_, index) => ({ key: systemKeys.project(`idle-${index}`), value: { by: "ann" } }));
  await store.commit("_system", { checks: [], puts: hints, deletes: [], objects: [], objectDeletes: [] });
  const vault = await openVault(store);
  const parts = { store, vault, sinks: [taker], deliverer: deliverer() };
  const sending = await openSending(parts);
  await sending.settled();
  reset();
  for (let round = 0; round < 10; round++) await sending.after(LIMITS.dueEveryMs);
  // Each round looks once for what is due.
  expect(calls).toEqual({ get: 0, list: 10, commit: 0 });
  // A sweep looks into each project once: for its webhooks, for the sink's state, and for records.
  reset();
  await sending.domain.sinks.stop();
  const next = await openSending(parts);
  await next.settled();
  expect(calls.commit).toBe(0);
  expect(calls.get + calls.list).toBeLessThanOrEqual(3 * 1_000 + 10);
});

test("a busy project sets few timers", async () => {
  const clock = new TestClock();
  const sending = await openSending({ store: memoryStore(clock), sinks: [taker] });
  await sending.project.create("staging");
  for (let index = 0; index < 100; index++) {
    await sending.project.configure("staging", { vars: { A: String(index) } });
    await sending.settled();
  }
  expect(await sending.store.list("_system", { prefix: systemKeys.duePrefix, limit: 100 })).toHaveLength(1);
});
