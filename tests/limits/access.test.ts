import { expect, test } from "vitest";
import { SYSTEM_PARTITION } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { AuditRecord } from "../../src/model.ts";
import { documents, memoryStore, openWorld, PROJECT, TestClock } from "../domain/support.ts";
import { type Answer, type Ask, ROOT_TOKEN, serveApp, withTokens } from "../http/support.ts";

interface Access {
  readonly clock: TestClock;
  readonly ask: Ask;
  /** As whoever has this token. */
  as(token: string, question: { method?: string; path: string; body?: unknown; headers?: Record<string, string> }): Promise<Answer>;
  create(members?: object): Promise<Answer>;
  /** What happened to access, oldest first. */
  audit(): Promise<AuditRecord[]>;
}

async function openAccess(): Promise<Access> {
  const clock = new TestClock();
  const store = memoryStore(clock);
  const { domain, project } = await openWorld({ store, clock: { now: () => new Date(clock.read()) } });
  await project.create("staging");
  const ask = await serveApp(domain, { authentication: await withTokens(domain) });
  const as: Access["as"] = (token, { headers, ...question }) =>
    ask({ ...question, headers: { authorization: `Bearer ${token}`, ...headers } });
  const create = (members = {}) =>
    as(ROOT_TOKEN, { method: "POST", path: "/tokens", body: { name: "ci", role: "reader", projects: ["*"], ...members } });
  const audit = async () => (await documents(store, SYSTEM_PARTITION, "audit/")).map(({ value }) => value as unknown as AuditRecord);
  return { clock, ask, as, create, audit };
}

const list = { path: "/env" };

async function expectRefused(answer: Answer | Promise<Answer>, status: number, code: string): Promise<void> {
  const { status: actual, body } = await answer;
  expect([actual, body.code]).toEqual([status, code]);
}

test("a token's name: as long as it may be, and longer", async () => {
  const { create } = await openAccess();
  expect((await create({ name: "n".repeat(LIMITS.actorLength) })).status).toBe(201);
  await expectRefused(create({ name: "n".repeat(LIMITS.actorLength + 1) }), 400, "invalid_request");
});

test("the person that a sibling engine names: as long a name as it may have, and longer", async () => {
  const { create, as } = await openAccess();
  const { body } = await create({ name: "planner", role: "engine" });
  const actingFor = (person: string) => as(String(body.token), { path: "/session", headers: { "x-actor": person } });
  expect((await actingFor("p".repeat(LIMITS.actorLength))).body).toMatchObject({ actor: "p".repeat(LIMITS.actorLength) });
  await expectRefused(actingFor("p".repeat(LIMITS.actorLength + 1)), 400, "invalid_request");
});

test.each(["projects", "envs"])("a token's %s: as many patterns as it may have, and one more", async (field) => {
  const { create } = await openAccess();
  const patterns = (count: number) => ({ [field]: Array.from({ length: count }, (_, index) => `p${index}`) });
  expect((await create(patterns(LIMITS.tokenPatterns))).status).toBe(201);
  await expectRefused(create(patterns(LIMITS.tokenPatterns + 1)), 400, "invalid_request");
});

test("what is shown to log in: as long as it may be, and longer", async () => {
  const { ask } = await openAccess();
  const logIn = (token: string) => ask({ method: "POST", path: "/session", body: { token } });
  await expectRefused(logIn("t".repeat(LIMITS.bearerLength)), 401, "unauthorized");
  await expectRefused(logIn("t".repeat(LIMITS.bearerLength + 1)), 400, "invalid_request");
});

test("a token that names no end is taken until the usual time is over, and not a millisecond longer", async () => {
  const { clock, create, as } = await openAccess();
  const token = String((await create()).body.token);
  clock.time += LIMITS.tokenDefaultTtlMs - 1;
  expect((await as(token, list)).status).toBe(200);
  clock.time += 1;
  await expectRefused(as(token, list), 401, "unauthorized");
});

test("a rotated token is taken for the usual time longer, and not a millisecond more", async () => {
  const { clock, create, as } = await openAccess();
  const { id, token } = (await create()).body;
  await as(ROOT_TOKEN, { method: "POST", path: `/tokens/${String(id)}/rotate`, body: {} });
  clock.time += LIMITS.tokenOverlapMs - 1;
  expect((await as(String(token), list)).status).toBe(200);
  clock.time += 1;
  await expectRefused(as(String(token), list), 401, "unauthorized");
});

test("a rotated token may be taken as long as there may be two, and not longer", async () => {
  const { create, as } = await openAccess();
  const { id } = (await create()).body;
  const rotate = (overlap: string) => as(ROOT_TOKEN, { method: "POST", path: `/tokens/${String(id)}/rotate`, body: { overlap } });
  const days = LIMITS.tokenMaxOverlapMs / (24 * 60 * 60_000);
  expect((await rotate(`${days}d`)).status).toBe(200);
  await expectRefused(rotate(`${days}d1s`), 400, "invalid_request");
});

test("a session holds as long as it may, and not a millisecond longer", async () => {
  const { clock, create, ask } = await openAccess();
  const { token } = (await create()).body;
  const { headers } = await ask({ method: "POST", path: "/session", body: { token } });
  const cookie = String(headers["set-cookie"]).split(";", 1)[0] ?? "";
  const look = () => ask({ path: `/env/${PROJECT}`, headers: { cookie } });
  clock.time += LIMITS.sessionMs - 1;
  expect((await look()).status).toBe(200);
  clock.time += 1;
  await expectRefused(look(), 401, "unauthorized");
});

test("the same refusal is recorded once within a time, and again after it", async () => {
  const { clock, create, as, audit } = await openAccess();
  const token = String((await create()).body.token);
  const overstep = () => expectRefused(as(token, { method: "POST", path: "/tokens", body: {} }), 403, "forbidden");
  const recorded = async () => {
    // Records are written one after the other: once this one is there, all before it are.
    await create();
    return (await audit()).filter(({ action }) => action === "access_refused").length;
  };
  await overstep();
  expect(await recorded()).toBe(1);
  clock.time += LIMITS.refusalNotedMs - 1;
  await overstep();
  expect(await recorded()).toBe(1);
  clock.time += 1;
  await overstep();
  expect(await recorded()).toBe(2);
  // By a clock that was set back since, nobody knows how long ago that was.
  clock.time -= 24 * LIMITS.refusalNotedMs;
  await overstep();
  expect(await recorded()).toBe(3);
});
