import { beforeEach, describe, expect, test } from "vitest";
import { openAccess, READER, ROOT, refusal } from "../access/support.ts";
import { caller, codeOf, memoryStore, openWorld, PROJECT, type Project, TestClock, type World } from "./support.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let clock: TestClock;
let world: World;
let project: Project;

beforeEach(async () => {
  clock = new TestClock();
  world = await openWorld({ store: memoryStore(clock) });
  project = world.project;
  await project.create("development");
});

/** Something is written by a clock that is days ahead, which is then set right. What is written from now on is stamped as that was. */
async function writeAhead(days: number): Promise<void> {
  clock.time += days * DAY;
  await project.set("development", { "flows/ahead": { days } });
  clock.time -= days * DAY;
}

const expire = (env: string) => world.domain.previews.expire(caller("engine"), PROJECT, env);

describe("once a clock that was ahead is set right,", () => {
  test("a preview lives until its end: it is written to as it is read, and no timer that comes early ends it", async () => {
    await project.create("pr-1", { type: "preview", expires_in: "10h" });
    await writeAhead(1);
    expect(await project.configure("pr-1", { vars: { A: "1" } })).toMatchObject({ status: "updated" });
    await expire("pr-1");
    expect(await project.view("pr-1")).toMatchObject({ status: "active" });
    clock.time += 10 * HOUR;
    expect(await codeOf(project.configure("pr-1", { vars: { A: "2" } }))).toBe("environment_expired");
    await expire("pr-1");
    expect((await project.revisions("pr-1"))[0]).toMatchObject({ action: "expire" });
  });

  test("a preview that ended keeps its grace time, and its secrets as long", async () => {
    await project.create("pr-1", { type: "preview", expires_in: "1h", env_variables: { API_KEY: "sk" } });
    await writeAhead(400);
    clock.time += HOUR;
    await expire("pr-1");
    expect(await project.view("pr-1")).toMatchObject({ status: "expired", cleared_at: null });
    const end = new Date(clock.time + 2 * HOUR).toISOString();
    expect(await world.domain.previews.restore(project.caller, { project: PROJECT, env: "pr-1", expires_in: "2h" })).toMatchObject({
      status: "restored",
      expires_at: end,
    });
  });

  test("history goes on after what was written ahead, and a preview's time counts from now", async () => {
    await writeAhead(1);
    await project.set("development", { "flows/a": 1 });
    const times = (await project.revisions("development")).map(({ timestamp }) => timestamp);
    expect(times).toEqual([...times].sort().reverse());
    const { expires_at } = await project.create("pr-1", { type: "preview", expires_in: "1h" });
    expect(expires_at).toBe(new Date(clock.time + HOUR).toISOString());
  });

  test("soak time and freeze windows go by what the clock shows, for what is applied as for its plan", async () => {
    await project.create("staging");
    await project.policy({
      environments: {
        staging: { soak: "2h" },
        development: { freeze: [{ kind: "deny", cron: "0 0 1 1 *", duration: "12h", timezone: "UTC", reason: "New Year" }] },
      },
    });
    await writeAhead(1);
    await project.set("development", { "flows/a": 1 });
    clock.time += HOUR;
    expect(await codeOf(project.promote("development", "staging"))).toBe("checks_failed");
    expect(await codeOf(project.promote("staging", "development", { strategy: "replace" }))).toBe("checks_failed");
    clock.time += HOUR;
    expect(await project.promote("development", "staging")).toMatchObject({ status: "ready_for_deploy" });
  });

  test("a token lives for as long as was asked for", async () => {
    const access = await openAccess();
    access.clock.time += DAY;
    await access.domain.tokens.create(ROOT, { ...READER, name: "ahead" });
    access.clock.time -= DAY;
    const { token } = await access.domain.tokens.create(ROOT, { ...READER, expires_in: "1h" });
    access.clock.time += HOUR;
    expect(await refusal(access.domain.tokens.principal(token))).toMatch(/^unauthorized: The token expired/);
  });
});
