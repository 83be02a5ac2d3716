import { afterEach, expect, test, vi } from "vitest";
import { SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Range } from "../../src/ports.ts";
import { domainOn, gate, memoryStore, openVault, Project, TestClock, wrapped } from "./support.ts";

afterEach(() => void vi.useRealTimers());

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("what is due is acted on though a sweep over all projects takes long, and only one sweep goes on", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const clock = new TestClock();
  const inner = memoryStore(clock);
  const [sweeping, go] = [gate(), gate()];
  let sweeps = 0;
  const store = wrapped(inner, {
    async list(partition: string, range: Range) {
      if (partition === SYSTEM_PARTITION && range.prefix === systemKeys.sessionPrefix) {
        sweeps++;
        sweeping.open();
        await go.opened;
      }
      return inner.list(partition, range);
    },
  });
  const domain = domainOn(store, await openVault(store), []);
  const project = new Project(domain);
  await project.create("pr-1", { type: "preview", expires_in: "1h" });
  const heard = new Promise<void>((resolve) => {
    inner.watch({ onChange: (partition) => void (partition === project.id && resolve()), onGap() {} });
  });
  domain.sweeper.start();

  vi.advanceTimersByTime(LIMITS.sweepSeconds * 1_000);
  await sweeping.opened;
  clock.time += 3_600_001;
  vi.advanceTimersByTime(LIMITS.sweepSeconds * 1_000);
  await heard;
  expect((await project.revisions("pr-1"))[0]).toMatchObject({ action: "expire" });

  expect(sweeps).toBe(1);
  const stopped = domain.sweeper.stop();
  go.open();
  await stopped;
  await settled();
  expect(sweeps).toBe(1);
});

test("what follows a reported deployment follows at once, also where a look goes on already", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const inner = memoryStore(new TestClock());
  const [looking, go] = [gate(), gate()];
  const store = wrapped(inner, {
    async list(partition: string, range: Range) {
      const found = await inner.list(partition, range);
      if (partition === SYSTEM_PARTITION && range.prefix === systemKeys.duePrefix && range.limit === 1) {
        looking.open();
        await go.opened;
      }
      return found;
    },
  });
  const domain = domainOn(store, await openVault(store), []);
  const project = new Project(domain);
  await project.create("staging");
  await project.create("production");
  await project.policy({ environments: { production: { auto_promote_from: "staging" } } });
  await project.set("staging", { "flows/a": 1 });
  const promoted = new Promise<void>((resolve) => {
    inner.watch({ onChange: async () => (await project.view("production")).revision === 2 && resolve(), onGap() {} });
  });
  domain.sweeper.start();

  vi.advanceTimersByTime(LIMITS.dueEveryMs);
  await looking.opened;
  const { revision, version } = await project.view("staging");
  await domain.deployments.report(project.caller, { project: project.id, env: "staging", version, revision, status: "deployed" });
  go.open();
  await promoted;
  await domain.sweeper.stop();
});

test("a start reads nothing of any project: what was not sent before it is looked for a while after", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const inner = memoryStore(new TestClock());
  const looked = gate();
  let reads = 0;
  const store = wrapped(inner, {
    async list(partition: string, range: Range) {
      if (partition === SYSTEM_PARTITION && range.prefix === systemKeys.projectPrefix) {
        reads++;
        looked.open();
      }
      return inner.list(partition, range);
    },
  });
  const domain = domainOn(store, await openVault(store), []);
  await new Project(domain).create("staging");
  domain.sweeper.start();

  vi.advanceTimersByTime(LIMITS.firstLookMs - 1);
  await settled();
  expect(reads).toBe(0);
  vi.advanceTimersByTime(1);
  await looked.opened;
  expect(reads).toBe(1);
  await domain.sweeper.stop();
});
