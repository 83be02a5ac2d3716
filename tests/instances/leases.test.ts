import { afterEach, describe, expect, test, vi } from "vitest";
import { SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import { Leases } from "../../src/leases.ts";
import { LIMITS } from "../../src/limits.ts";
import { Timers } from "../../src/timers.ts";
import { READER, ROOT } from "../access/support.ts";
import {
  auditRecords,
  document,
  documents,
  domainOn,
  gate,
  memoryStore,
  openVault,
  PROJECT,
  Project,
  TestClock,
} from "../domain/support.ts";

afterEach(() => void vi.useRealTimers());

const never = new AbortController().signal;
const settled = () => new Promise((resolve) => setImmediate(resolve));

function leasesOn() {
  const clock = new TestClock();
  const store = memoryStore(clock);
  return { clock, store, one: new Leases(store, "one"), two: new Leases(store, "two") };
}

/** Of one instance, work that is done and will be due again, and other work that it is at and never ends. */
async function doneAndHeld() {
  const { clock, one, two } = leasesOn();
  const every = { everyMs: 60_000 };
  expect(await one.alone("work", every, async () => {})).toBe(true);
  const begun = gate();
  void one.alone("other work", {}, () => {
    begun.open();
    return new Promise(() => {});
  });
  await begun.opened;
  return { clock, one, two, every };
}

describe("the engine's own work", () => {
  test("is done by one instance at a time, and by the next as soon as that one is done", async () => {
    const { one, two } = leasesOn();
    const [begun, go] = [gate(), gate()];
    const first = one.alone("work", {}, async () => {
      begun.open();
      await go.opened;
    });
    await begun.opened;
    expect(await two.alone("work", {}, () => Promise.reject(new Error("at once")))).toBe(false);
    expect(await two.alone("other work", {}, async () => {})).toBe(true);
    go.open();
    expect(await first).toBe(true);
    expect(await two.alone("work", {}, async () => {})).toBe(true);
  });

  test("goes over to another when its instance is gone, after the lease and not before", async () => {
    const { clock, one, two } = leasesOn();
    const begun = gate();
    void one.alone("work", {}, () => {
      begun.open();
      return new Promise(() => {});
    });
    await begun.opened;
    clock.time += LIMITS.workLeaseMs - 1;
    expect(await two.alone("work", {}, async () => {})).toBe(false);
    clock.time += 1;
    expect(await two.alone("work", {}, async () => {})).toBe(true);
  });

  test("an instance that stood still is told that it lost the lease, and takes nothing from who has it now", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { clock, store, one, two } = leasesOn();
    const [begun, go, ours, done] = [gate(), gate(), gate(), gate()];
    let lost: AbortSignal = never;
    const first = one.alone("work", {}, async (signal) => {
      lost = signal;
      begun.open();
      await go.opened;
    });
    await begun.opened;
    clock.time += LIMITS.workLeaseMs;
    const second = two.alone("work", {}, async () => {
      ours.open();
      await done.opened;
    });
    await ours.opened;
    const held = await document(store, systemKeys.lease("work"), SYSTEM_PARTITION);
    expect(held).toMatchObject({ holder: { instance: "two" } });
    // The first wakes up, and goes on as if nothing had been.
    vi.advanceTimersByTime(LIMITS.workLeaseMs / 3);
    await expect.poll(() => lost.aborted).toBe(true);
    go.open();
    await first;
    expect(await document(store, systemKeys.lease("work"), SYSTEM_PARTITION)).toEqual(held);
    done.open();
    expect(await second).toBe(true);
  });

  test("is kept while it takes longer than a lease", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { clock, one, two } = leasesOn();
    const [begun, go] = [gate(), gate()];
    const first = one.alone("work", {}, async () => {
      begun.open();
      await go.opened;
    });
    await begun.opened;
    for (let third = 0; third < 9; third++) {
      clock.time += LIMITS.workLeaseMs / 3;
      vi.advanceTimersByTime(LIMITS.workLeaseMs / 3);
      await settled();
      expect(await two.alone("work", {}, async () => {})).toBe(false);
    }
    go.open();
    expect(await first).toBe(true);
  });

  test("is not done again before its time, by whichever instance", async () => {
    const { clock, one, two } = leasesOn();
    const every = { everyMs: 60_000 };
    expect(await one.alone("work", every, async () => {})).toBe(true);
    clock.time += 59_999;
    expect(await two.alone("work", every, async () => {})).toBe(false);
    clock.time += 1;
    expect(await two.alone("work", every, async () => {})).toBe(true);
  });

  test("does not stop where the store's clock is set back: neither for what was done by it, nor for an instance that is gone", async () => {
    const { clock, one, two, every } = await doneAndHeld();
    clock.time -= 24 * 60 * 60_000;
    expect(await two.alone("work", every, async () => {})).toBe(true);
    expect(await two.alone("other work", {}, async () => {})).toBe(true);
    // From now on it goes by the new time.
    expect(await one.alone("work", every, async () => {})).toBe(false);
  });

  test("is not begun twice where clocks are read at about the same time and seem to go back a little", async () => {
    const { clock, two, every } = await doneAndHeld();
    clock.time -= 100;
    expect(await two.alone("work", every, async () => {})).toBe(false);
    expect(await two.alone("other work", {}, async () => {})).toBe(false);
  });

  test("that failed was not done: the next instance need not wait for its time", async () => {
    const { one, two } = leasesOn();
    const every = { everyMs: 60_000 };
    await expect(one.alone("work", every, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    expect(await two.alone("work", every, async () => {})).toBe(true);
  });

  test("that was cut short was not done: the next instance goes on at once", async () => {
    const { one, two } = leasesOn();
    const every = { everyMs: 60_000 };
    expect(await one.alone("work", every, async () => false)).toBe(true);
    expect(await two.alone("work", every, async () => {})).toBe(true);
    expect(await one.alone("work", every, async () => {})).toBe(false);
  });

  test("costs nothing on a store that one engine has to itself", async () => {
    const store = memoryStore();
    expect(await new Leases(store, null).alone("work", {}, async () => {})).toBe(true);
    expect(await store.revision([SYSTEM_PARTITION])).toEqual([0]);
  });
});

test("a timer that is set anew while it is acted on stays, and is acted on again", async () => {
  const clock = new TestClock();
  const store = memoryStore(clock);
  const timers = new Timers(store);
  const due = { project: PROJECT, what: "env:pr-1" };
  const at = new Date(clock.time).toISOString();
  await timers.setFor(due, at);
  clock.time += 1;
  let acted = 0;
  const act = async () => {
    // Whoever acts finds nothing to do yet; what needs the timer comes now, and sets it for the same time.
    if (++acted === 1) await timers.setFor(due, at);
  };
  const failed = (error: unknown) => expect(error).toBeUndefined();
  await timers.run(act, failed, never);
  await timers.run(act, failed, never);
  await timers.run(act, failed, never);
  expect(acted).toBe(2);
  expect(await timers.isDue()).toBe(false);
});

test("an instance that stood still while it acted takes no timer away that others have set since", async () => {
  const clock = new TestClock();
  const store = memoryStore(clock);
  const [one, two] = [new Timers(store), new Timers(store)];
  const due = { project: PROJECT, what: "env:pr-1" };
  const at = new Date(clock.time).toISOString();
  await one.setFor(due, at);
  clock.time += 1;
  const [acting, awake] = [gate(), gate()];
  const paused = one.run(
    async () => {
      acting.open();
      await awake.opened;
    },
    () => {},
    never,
  );
  await acting.opened;
  await two.run(
    async () => {},
    () => {},
    never,
  );
  await two.setFor(due, at);
  awake.open();
  await paused;
  expect(await two.isDue()).toBe(true);
});

test("previews expire once, though two engines act on the same timers at once", async () => {
  const clock = new TestClock();
  const store = memoryStore(clock);
  const vault = await openVault(store);
  const failures: unknown[] = [];
  const engines = [domainOn(store, vault, failures), domainOn(store, vault, failures)];
  const project = new Project(engines[0] as (typeof engines)[number]);
  const names = Array.from({ length: 8 }, (_, index) => `pr-${index}`);
  for (const name of names) await project.create(name, { type: "preview", expires_in: "1h" });
  clock.time += 3_600_001;
  await Promise.all(engines.map(({ sweeper }) => sweeper.runDue()));
  const expired = (await auditRecords(store)).filter(({ action }) => action === "expire").map(({ environment }) => environment);
  expect(expired.sort()).toEqual(names);
  expect(failures).toEqual([]);
});

test("when a token was last used never goes back, whichever instance writes it down last", async () => {
  const clock = new TestClock();
  const store = memoryStore(clock);
  const vault = await openVault(store);
  const parts = { clock: { now: () => new Date(clock.time) } };
  const [one, two] = [domainOn(store, vault, [], parts), domainOn(store, vault, [], parts)];
  const { token, id } = await one.tokens.create(ROOT, READER);
  await two.tokens.principal(token);
  clock.time += 60_000;
  await one.tokens.principal(token);
  await one.tokens.noteUse();
  await two.tokens.noteUse();
  const used = (await documents(store, SYSTEM_PARTITION, "token-used/")).map(({ value }) => value);
  expect(used).toEqual([{ at: new Date(clock.time).toISOString() }]);
  expect((await two.tokens.view(ROOT, id)).last_used_at).toBe(new Date(clock.time).toISOString());
});
