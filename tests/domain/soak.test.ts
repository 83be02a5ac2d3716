import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { mayDoLittle } from "../../src/callers.ts";
import { documentsOf } from "../../src/heads.ts";
import { longestStay } from "../../src/revisions.ts";
import { codeOf, domainOn, errorOf, headOf, memoryStore, openWorld, PROJECT, type Project, TestClock, type World } from "./support.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let clock: TestClock;
let world: World;
let project: Project;

/** Production takes what has stayed in staging for an hour. */
beforeEach(async () => {
  clock = new TestClock();
  world = await openWorld({ store: memoryStore(clock) });
  project = world.project;
  await project.create("staging", { env_variables: { REGION: "eu" } });
  await project.create("production");
  await project.policy({ environments: { production: { soak: "1h" } } });
});

const pass = (ms: number) => {
  clock.time += ms;
};

/** How long the plan says that what would be promoted has stayed in staging; `null` where that is long enough. */
async function missing(wishes: Parameters<Project["plan"]>[2] = {}): Promise<number | null> {
  const { checks } = await project.plan("staging", "production", wishes);
  const check = checks.find(({ name }) => name === "soak_time");
  if (check?.status !== "failed") return null;
  return Number(check.details?.needed_ms) - Number(check.details?.soaked_ms);
}

const staged = (value: number) => project.set("staging", { "flows/a": { value } });

describe("what is promoted must have stayed in its source", () => {
  test("for as long as the policy says, to the millisecond", async () => {
    await staged(1);
    expect(await missing()).toBe(HOUR);
    pass(HOUR - 1);
    expect(await missing()).toBe(1);
    const error = await errorOf(project.promote("staging", "production"));
    expect(error).toMatchObject({
      code: "checks_failed",
      message: expect.stringContaining("has stayed in staging for 59m59s, and 1h is needed"),
    });
    expect(error.fix).toContain("another 1s");
    pass(1);
    expect(await missing()).toBeNull();
    expect(await project.promote("staging", "production")).toMatchObject({ status: "ready_for_deploy" });
  });

  test("whatever the label: config, flags and secrets do not begin it anew", async () => {
    await staged(1);
    pass(50 * MINUTE);
    await project.configure("staging", { vars: { REGION: "us" }, secrets: { API_KEY: "sk" }, flags: { beta: true } });
    pass(10 * MINUTE);
    expect(await missing()).toBeNull();
  });

  test("but a change of the platform begins it anew, be it ever so small", async () => {
    await staged(1);
    pass(10 * HOUR);
    await project.set("staging", { "pages/note": "x" });
    expect(await missing()).toBe(HOUR);
  });

  test("each environment counts for itself: what soaked elsewhere has not soaked here", async () => {
    await project.create("qa");
    await project.set("qa", { "flows/a": { value: 1 } });
    pass(10 * HOUR);
    await project.promote("qa", "staging");
    expect(await missing()).toBe(HOUR);
  });

  test("also where it came with the environment's creation", async () => {
    await staged(1);
    await project.create("next", { base: "staging" });
    await project.policy({ environments: { production: { soak: "1h" } } });
    pass(30 * MINUTE);
    expect((await project.plan("next", "production")).checks).toContainEqual(
      expect.objectContaining({ name: "soak_time", status: "failed", details: { needed_ms: HOUR, soaked_ms: 30 * MINUTE } }),
    );
  });

  test("and the source's archival and restoration do not begin it anew", async () => {
    await staged(1);
    pass(50 * MINUTE);
    await world.domain.environments.archive(project.caller, { project: PROJECT, env: "staging" });
    pass(5 * MINUTE);
    await world.domain.previews.restore(project.caller, { project: PROJECT, env: "staging" });
    pass(5 * MINUTE);
    expect(await missing()).toBeNull();
  });
});

describe("completed stays count, too", () => {
  test("an older version that stayed long enough is promoted at any time", async () => {
    const old = await staged(1);
    pass(2 * HOUR);
    await staged(2);
    expect(await missing()).toBe(HOUR);
    expect(await missing({ version: old.version })).toBeNull();
    expect(await project.promote("staging", "production", { version: old.version })).toMatchObject({ status: "ready_for_deploy" });
  });

  test("a platform that is back has its longest stay, from before", async () => {
    const first = await staged(1);
    pass(40 * MINUTE);
    await staged(2);
    pass(40 * MINUTE);
    await project.rollback("staging", first.version);
    // It is back for now, and the stay before was the longer one: no two of them are added up.
    expect(await missing()).toBe(20 * MINUTE);
    pass(30 * MINUTE);
    expect(await missing()).toBe(20 * MINUTE);
    pass(20 * MINUTE);
    expect(await missing()).toBe(10 * MINUTE);
    pass(10 * MINUTE);
    expect(await missing()).toBeNull();
  });

  test("whether it is back by a rollback, by a promotion or by the same edits", async () => {
    await staged(1);
    pass(2 * HOUR);
    await staged(2);
    await staged(1);
    expect(await missing()).toBeNull();
    await staged(3);
    await project.create("qa");
    await project.set("qa", { "flows/a": { value: 1 } });
    await project.promote("qa", "staging", { strategy: "replace" });
    expect(await missing()).toBeNull();
  });

  test("the longest of many stays is what counts, not the last", async () => {
    for (const minutes of [10, 59, 30]) {
      await staged(1);
      pass(minutes * MINUTE);
      await staged(2);
      pass(MINUTE);
    }
    await staged(1);
    expect(await missing()).toBe(MINUTE);
  });

  test("none is counted of what never was the head", async () => {
    await staged(1);
    await staged(2);
    pass(10 * HOUR);
    expect(await missing({ version: "v0.2.0" })).toBe(HOUR);
  });

  test("they survive a restart", async () => {
    const old = await staged(1);
    pass(2 * HOUR);
    await staged(2);
    const again = domainOn(world.store, world.vault);
    const plan = await again.promotions.readiness(project.caller, {
      project: PROJECT,
      source: "staging",
      target: "production",
      version: old.version,
    });
    expect(plan.checks).toContainEqual(expect.objectContaining({ name: "soak_time", status: "passed" }));
  });
});

test("a clock that jumps back neither shortens nor lengthens a stay beyond what passed", async () => {
  await staged(1);
  pass(50 * MINUTE);
  clock.time -= 10 * HOUR;
  await project.set("production", { "pages/x": {} });
  expect(await missing({ strategy: "replace" })).toBeGreaterThan(0);
  pass(10 * HOUR + 10 * MINUTE);
  expect(await missing({ strategy: "replace" })).toBeNull();
});

test("a soak time is checked again at the moment of applying, and for an automatic promotion as for one by hand", async () => {
  await staged(1);
  const { revision, updated_at } = await headOf(world.store, "staging");
  const automatic = () =>
    world.domain.promotions.promote(mayDoLittle("auto-promotion", "r"), {
      project: PROJECT,
      source: "staging",
      target: "production",
      automatic: { revision, at: updated_at },
    });
  expect(await codeOf(automatic())).toBe("checks_failed");
  const { plan_id } = await project.plan("staging", "production");
  expect(await codeOf(project.promote("staging", "production", { plan_id }))).toBe("checks_failed");
  pass(HOUR);
  // A plan does not depend on the time: the same one is good now.
  expect(await project.promote("staging", "production", { plan_id })).toMatchObject({ status: "ready_for_deploy" });
});

test("the longest stay is the longest one of a naive look at the whole history", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 90 })), { maxLength: 12 }),
      async (steps) => {
        const time = new TestClock();
        const { store, project: other } = await openWorld({ store: memoryStore(time) });
        await other.create("staging");
        const stays: { platform: string; from: number }[] = [{ platform: (await headOf(store, "staging")).platform, from: time.time }];
        for (const [value, minutes] of steps) {
          time.time += minutes * MINUTE;
          await other.set("staging", { "flows/a": { value } });
          const { platform } = await headOf(store, "staging");
          if (stays.at(-1)?.platform !== platform) stays.push({ platform, from: time.time });
        }
        time.time += 7 * MINUTE;
        const now = new Date(time.time).toISOString();
        const head = await headOf(store, "staging");
        for (const { platform } of stays) {
          const lengths = stays.flatMap((stay, index) =>
            stay.platform === platform ? [(stays[index + 1]?.from ?? time.time) - stay.from] : [],
          );
          expect(await longestStay(documentsOf(store, PROJECT), head, platform, now)).toBe(Math.max(...lengths));
        }
      },
    ),
    { numRuns: 40 },
  );
});
