import { expect, test, vi } from "vitest";
import { AppError } from "../../src/errors.ts";
import { LIMITS } from "../../src/limits.ts";
import type { AuditRecord } from "../../src/model.ts";
import type { Sink } from "../../src/ports.ts";
import type { SinkState } from "../../src/sink-state.ts";
import { auditRecords, gate, memoryStore, openVault, PROJECT, Project, TestClock, wrapped } from "../domain/support.ts";
import { LONG_ENOUGH, later, openSending, type Sending, sendingOn, sinkDocuments } from "./support.ts";

/** A sink in this process: `before` is asked ahead of each record that it takes. */
class TestSink implements Sink {
  readonly name = "test";
  readonly begun: number[] = [];
  readonly taken: number[];
  before: (record: AuditRecord, signal: AbortSignal) => Promise<void> | void = () => {};

  constructor(taken: number[] = []) {
    this.taken = taken;
  }

  async send(record: AuditRecord, signal: AbortSignal) {
    this.begun.push(record.seq);
    await this.before(record, signal);
    this.taken.push(record.seq);
    return "taken" as const;
  }
}

async function two() {
  const clock = new TestClock();
  const store = memoryStore(clock);
  const vault = await openVault(store);
  const taken: number[] = [];
  const [first, second] = [new TestSink(taken), new TestSink(taken)];
  const left = await openSendingOn(first);
  const right = await openSendingOn(second);
  return { clock, store, taken, first, second, left, right };

  async function openSendingOn(sink: Sink): Promise<Sending> {
    return sendingOn({ store, vault, sinks: [sink] }, clock);
  }
}

async function stateOf(sending: Sending): Promise<SinkState> {
  return (await sinkDocuments(sending)).find(({ key }) => key === "sink/test")?.value as unknown as SinkState;
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

test("two engines on one store send each record once, in order, though both are told of each", async () => {
  const { left, right, taken, store } = await two();
  await left.project.create("staging");
  const writes = upTo(120).map((index) => (index % 2 === 0 ? left : right).project.configure("staging", { vars: { [`V${index}`]: "1" } }));
  await Promise.all(writes);
  await left.settled();
  await right.settled();
  // Whoever was told last may have been too early for the other's lease.
  await left.after(2 * LIMITS.sinkLeaseMs);
  expect(taken).toEqual(upTo((await auditRecords(store)).length));
  expect([...left.failures, ...right.failures]).toEqual([]);
});

test("when a sender is not heard of any more, another goes on where it was, and the first cannot move the cursor any more", async () => {
  const { left, right, first, second, taken, clock } = await two();
  const stuck = gate();
  first.before = ({ seq }) => (seq === 3 ? stuck.opened : undefined);
  second.before = () => Promise.reject(new Error("the other has the lease"));
  // The first is told first, and so has the lease; it hangs in the third record.
  await left.project.create("staging");
  await expect.poll(() => taken).toEqual([1]);
  await right.settled();
  second.before = () => {};
  for (const index of [2, 3, 4]) await left.project.configure("staging", { vars: { A: String(index) } });
  await expect.poll(() => first.begun).toEqual([1, 2, 3]);
  await right.settled();
  expect(second.taken).toEqual([1, 2]);
  expect((await stateOf(left)).cursor).toBe(1);

  clock.time += 2 * LIMITS.sinkLeaseMs;
  await right.domain.sweeper.runDue();
  await right.settled();
  expect(taken).toEqual([1, 2, 2, 3, 4]);
  for (const index of [5, 6]) await right.project.configure("staging", { vars: { A: String(index) } });
  await right.settled();
  expect(await stateOf(right)).toMatchObject({ cursor: 6, lease: null });

  stuck.open();
  await left.settled();
  // What it had begun it ends, and may repeat as much as lies between two commits; then it finds out.
  expect(taken).toEqual([1, 2, 2, 3, 4, 5, 6, 3, 4]);
  expect(await stateOf(right)).toMatchObject({ cursor: 6, lease: null, taken: 6, failures: 0 });
  expect([...left.failures, ...right.failures]).toEqual([]);
});

test("a clock that is set back keeps no sink waiting: neither after a failure, nor for a sender that is gone", async () => {
  const { left, right, first, second, clock } = await two();
  first.before = () => Promise.reject(new AppError("engine_unavailable"));
  await right.domain.sinks.stop();
  await left.project.create("staging");
  await left.settled();
  expect(await stateOf(left)).toMatchObject({ failures: 1, cursor: 0 });
  clock.time -= 24 * 60 * 60_000;
  first.before = () => {};
  const stuck = gate();
  first.before = ({ seq }) => (seq === 2 ? stuck.opened : undefined);
  await left.project.configure("staging", { vars: { A: "1" } });
  await expect.poll(() => first.begun.at(-1)).toBe(2);
  // It holds the lease by a clock that is set back once more, and by far.
  clock.time -= 24 * 60 * 60_000;
  const next = sendingOn({ store: left.store, vault: left.vault, sinks: [second] }, clock);
  await next.settled();
  expect(second.taken).toContain(2);
  stuck.open();
  await left.settled();
  expect((await stateOf(left)).cursor).toBe(2);
});

test("an engine that stops gives its lease up, and blames nobody for what it did not end", async () => {
  const { left, right, first, taken } = await two();
  first.before = ({ seq }, signal) =>
    seq < 3 ? undefined : new Promise((_, reject) => signal.addEventListener("abort", () => reject(new AppError("engine_unavailable"))));
  await right.domain.sinks.stop();
  await left.project.create("staging");
  for (const index of [2, 3, 4]) await left.project.configure("staging", { vars: { A: String(index) } });
  await expect.poll(() => first.begun.at(-1)).toBe(3);
  await left.domain.sinks.stop();
  expect(await stateOf(left)).toMatchObject({ cursor: 2, lease: null, failures: 0, last_error: null });

  const third = new TestSink(taken);
  const next = sendingOn({ store: left.store, vault: left.vault, sinks: [third] }, left.clock);
  await next.settled();
  expect(taken).toEqual([1, 2, 3, 4]);
});

test("a lease is renewed while one record takes longer than it lasts", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  later(async () => void vi.useRealTimers());
  const { left, right, first, second, taken, clock } = await two();
  const slow = gate();
  first.before = () => slow.opened;
  await left.project.create("staging");
  await expect.poll(() => first.begun).toEqual([1]);
  for (let third = 0; third < 9; third++) {
    clock.time += LIMITS.sinkLeaseMs / 3;
    vi.advanceTimersByTime(LIMITS.sinkLeaseMs / 3);
    await new Promise(setImmediate);
    await right.domain.sweeper.runDue();
    await right.settled();
  }
  expect(second.begun).toEqual([]);
  slow.open();
  await left.settled();
  expect(taken).toEqual([1]);
  expect(await stateOf(left)).toMatchObject({ cursor: 1, lease: null });
});

test("a lease is renewed by what is sent, so that nobody takes over while it goes on", async () => {
  const { left, right, first, second, taken, clock, store } = await two();
  await right.domain.sinks.stop();
  await left.project.create("staging");
  await left.settled();
  first.before = () => {
    clock.time += 10;
  };
  for (let index = 0; index < 60; index++) await left.project.configure("staging", { vars: { A: String(index) } });
  await left.settled();
  expect(second.begun).toEqual([]);
  expect(taken).toEqual(upTo((await auditRecords(store)).length));
});

test("a cursor that moves is no change of the project, and wakes nobody", async () => {
  const sink = new TestSink();
  const sending = await openSending({ sinks: [sink] });
  await sending.project.create("staging");
  const [before] = await sending.store.revision([PROJECT]);
  await sending.settled();
  const changed: string[] = [];
  sending.store.watch({ onChange: (partition) => changed.push(partition), onGap: () => {} });
  await sending.project.configure("staging", { vars: { A: "1" } });
  await sending.settled();
  const [after] = await sending.store.revision([PROJECT]);
  expect(after).toBe((before ?? 0) + 1);
  expect(changed.filter((partition) => !partition.startsWith("_"))).toEqual([PROJECT]);
  expect(sink.taken).toEqual([1, 2]);
});

test.each(["before", "after"])("a store that fails %s it has written a cursor loses nothing", async (when) => {
  const clock = new TestClock();
  const store = memoryStore(clock);
  let faults = 0;
  const faulty = wrapped(store, {
    commit: async (partition, change) => {
      const isHit = partition.startsWith("_sinks:") && faults > 0;
      if (isHit && when === "after") await store.commit(partition, change);
      if (isHit) {
        faults--;
        throw new AppError("store_unavailable");
      }
      return store.commit(partition, change);
    },
  });
  const sink = new TestSink();
  const sending = await openSending({ store: faulty, sinks: [sink] });
  await sending.project.create("staging");
  await sending.settled();
  for (let fault = 1; fault <= 3; fault++) {
    faults = fault;
    await sending.project.configure("staging", { vars: { A: String(fault) } });
    await sending.settled();
    clock.time += LONG_ENOUGH;
    await sending.domain.sweeper.runDue();
    await sending.settled();
  }
  faults = 0;
  await sending.domain.sweeper.sweep();
  await sending.settled();
  expect([...new Set(sink.taken)]).toEqual([1, 2, 3, 4]);
  expect((await stateOf(sending)).cursor).toBe(4);
});

test("a fault of the engine's own is a failure like any other: it is reported, told without its words, and tried again", async () => {
  const sink = new TestSink();
  sink.before = () => {
    throw new TypeError("the words of a fault");
  };
  const sending = await openSending({ sinks: [sink] });
  await sending.project.create("staging");
  await sending.settled();
  expect(sending.failures).toHaveLength(1);
  expect((await stateOf(sending)).last_error?.reason).toBe("Something went wrong inside the engine.");
  sink.before = () => {};
  await sending.after(LONG_ENOUGH);
  expect(sink.taken).toEqual([1]);
});

test("projects have their turns: one with a long log does not keep the others waiting", async () => {
  const sink = new TestSink();
  const idle = await openSending();
  await idle.project.create("staging");
  for (let index = 0; index < 3 * LIMITS.sinkPage; index++) await idle.project.configure("staging", { vars: { A: String(index) } });
  const order: string[] = [];
  const all: Sink = {
    name: "test",
    send: async ({ project, seq }) => {
      order.push(`${project}:${seq}`);
      return sink.send({ seq } as AuditRecord, new AbortController().signal);
    },
  };
  // More projects than are sent at a time, so that the long one has to go to the end of the queue.
  const others = Array.from({ length: LIMITS.sinkSenders + 4 }, (_, index) => `other-${index}`);
  for (const id of others) await new Project(idle.domain, { id }).create("staging");
  const sending = sendingOn({ store: idle.store, vault: idle.vault, sinks: [all] }, idle.clock);
  await sending.settled();
  const last = order.indexOf(`${PROJECT}:${3 * LIMITS.sinkPage + 1}`);
  for (const id of others) expect(order.indexOf(`${id}:1`)).toBeLessThan(last);
  expect(order.filter((id) => id.startsWith(`${PROJECT}:`))).toHaveLength(3 * LIMITS.sinkPage + 1);
});
