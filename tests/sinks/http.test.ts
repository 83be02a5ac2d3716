import { expect, test } from "vitest";
import type { Role } from "../../src/access.ts";
import { AppError } from "../../src/errors.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Sink } from "../../src/ports.ts";
import { auditRecords, caller, PROJECT } from "../domain/support.ts";
import { type Ask, serveApp, withTokens } from "../http/support.ts";
import { deliverer, LONG_ENOUGH, monitoringAt, openReceiver, openSending } from "./support.ts";

const ADA = caller("ada");
const HOOKS = `/env/${PROJECT}/webhooks`;

async function open() {
  const receiver = await openReceiver();
  const sending = await openSending({ deliverer: deliverer(), sinks: [monitoringAt(receiver.url)] });
  await sending.project.create("staging");
  await sending.settled();
  const ask = await serveApp(sending.domain, { authentication: await withTokens(sending.domain) });
  const as = async (role: Role, envs = ["*"]): Promise<Ask> => {
    const { token } = await sending.domain.tokens.create(ADA, { name: `some-${role}`, role, projects: [PROJECT], envs });
    return (question) => {
      const asked = typeof question === "string" ? { path: question } : question;
      return ask({ ...asked, headers: { ...asked.headers, authorization: `Bearer ${token}` } });
    };
  };
  return { receiver, sending, as, body: { url: `${receiver.url}/hook`, events: ["config"] } };
}

test("a webhook's life over HTTP", async () => {
  const { receiver, sending, as, body } = await open();
  const admin = await as("admin");
  const made = await admin({ method: "POST", path: HOOKS, body });
  expect(made).toMatchObject({ status: 201, body: { ...body, envs: ["*"], active: true, secret: expect.stringMatching(/^whsec_/) } });
  const path = `${HOOKS}/${made.body.id}`;
  expect(made.headers.location).toBe(path);
  expect(made.headers["cache-control"]).toBe("no-store");
  await receiver.expectSecrets(String(made.body.secret));
  const { secret: _, ...view } = made.body;
  expect((await admin(path)).body).toEqual(view);
  expect((await admin(HOOKS)).body).toEqual({ items: [view] });

  expect(await admin({ method: "POST", path: `${path}/ping` })).toMatchObject({ status: 200, body: { delivered: true, status: 200 } });
  await sending.project.configure("staging", { vars: { A: "1" } });
  await sending.settled();
  expect((await admin(`${path}/deliveries`)).body).toMatchObject({ items: [{ id: `${PROJECT}:3`, outcome: "taken", status: 200 }] });
  expect((await admin(`/env/${PROJECT}/sinks`)).body).toMatchObject({
    items: [
      { name: "monitoring", kind: "monitoring", state: "ok", backlog: 0, taken: 3 },
      { name: made.body.id, kind: "webhook", state: "ok", backlog: 0, taken: 1, refused_count: 0, last_error: null, next_at: null },
    ],
  });

  expect(await admin({ method: "PATCH", path, body: { active: false } })).toMatchObject({ status: 200, body: { active: false } });
  expect((await admin(`/env/${PROJECT}/sinks`)).body).toMatchObject({ items: [{}, { state: "inactive" }] });
  const rotated = await admin({ method: "POST", path: `${path}/rotate`, body: {} });
  expect(rotated.body.secret).not.toBe(made.body.secret);
  expect(await admin({ method: "DELETE", path })).toMatchObject({ status: 200, body: { status: "deleted" } });
  expect(await admin(path)).toMatchObject({ status: 404, body: { code: "webhook_not_found" } });
  expect(receiver.url).not.toBe("");
  expect((await receiver.seen()).breaches).toEqual([]);
});

test("webhooks are for those who administer all of the project; how far sinks have come, for those who read all of it", async () => {
  const { sending, as, body } = await open();
  const { id } = await sending.domain.webhooks.create(ADA, PROJECT, body);
  const questions = [
    HOOKS,
    { method: "POST", path: HOOKS, body },
    `${HOOKS}/${id}`,
    { method: "PATCH", path: `${HOOKS}/${id}`, body: { active: false } },
    { method: "DELETE", path: `${HOOKS}/${id}` },
    { method: "POST", path: `${HOOKS}/${id}/rotate`, body: {} },
    { method: "POST", path: `${HOOKS}/${id}/ping` },
    `${HOOKS}/${id}/deliveries`,
  ];
  for (const stranger of [await as("promoter"), await as("reader"), await as("engine"), await as("admin", ["staging"])]) {
    for (const question of questions) expect(await stranger(question)).toMatchObject({ status: 403, body: { code: "forbidden" } });
  }
  expect(await sending.domain.webhooks.list(PROJECT)).toHaveLength(1);
  expect(await (await as("reader"))(`/env/${PROJECT}/sinks`)).toMatchObject({ status: 200 });
  expect(await (await as("reader", ["staging"]))(`/env/${PROJECT}/sinks`)).toMatchObject({ status: 403 });
  expect(await (await as("client"))(`/env/${PROJECT}/sinks`)).toMatchObject({ status: 403 });
});

test.each([
  [{}, "url"],
  [{ url: "https://hooks.example.com", events: [] }, "events"],
  [{ url: "https://hooks.example.com", secret: "mine" }, "secret"],
  [{ url: "https://hooks.example.com", envs: "production" }, "envs"],
])("%j is refused, naming what is wrong", async (body, named) => {
  const { as } = await open();
  const refused = await (await as("admin"))({ method: "POST", path: HOOKS, body });
  expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  expect(refused.text).toContain(named);
});

test("a webhook's patterns: as many as it may have, and one more", async () => {
  const { as, body } = await open();
  const admin = await as("admin");
  for (const name of ["events", "envs"]) {
    const patterns = Array.from({ length: LIMITS.webhookPatterns }, () => "p*");
    const create = (given: readonly string[]) => admin({ method: "POST", path: HOOKS, body: { ...body, [name]: given } });
    expect(await create(patterns)).toMatchObject({ status: 201 });
    expect(await create([...patterns, "p*"])).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  }
});

test("an address that requests may not go to is refused as that", async () => {
  const { as } = await open();
  const refused = await (await as("admin"))({ method: "POST", path: HOOKS, body: { url: "https://10.1.2.3/" } });
  expect(refused).toMatchObject({ status: 400, body: { code: "target_not_allowed" } });
});

test("a sink says since when the oldest of what it has not had waits, and no longer once it has it", async () => {
  let away = false;
  const stuck: Sink = { name: "stuck", send: async () => (away ? Promise.reject(new AppError("engine_unavailable")) : "taken") };
  const well: Sink = { name: "well", send: async () => "taken" };
  const sending = await openSending({ deliverer: deliverer(), sinks: [stuck, well] });
  await sending.project.create("staging");
  await sending.settled();
  const since = async () =>
    (await sending.domain.sinks.overview(PROJECT)).map(({ name, backlog, backlog_since }) => [name, backlog, backlog_since]);
  expect(await since()).toEqual([
    ["stuck", 0, null],
    ["well", 0, null],
  ]);
  away = true;
  for (const value of ["1", "2"]) {
    sending.clock.time += 60_000;
    await sending.project.configure("staging", { vars: { A: value } });
    await sending.settled();
  }
  const [, oldest] = await auditRecords(sending.store);
  expect(await since()).toEqual([
    ["stuck", 2, oldest?.at],
    ["well", 0, null],
  ]);
  away = false;
  await sending.after(LONG_ENOUGH);
  expect(await since()).toContainEqual(["stuck", 0, null]);
});

test("metrics say by sink how many records wait and how old the oldest is: of a sink that is well, and of a webhook that is switched off, none", async () => {
  let away = true;
  const stuck: Sink = { name: "stuck", send: async () => (away ? Promise.reject(new AppError("engine_unavailable")) : "taken") };
  const well: Sink = { name: "well", send: async () => "taken" };
  const sending = await openSending({ deliverer: deliverer(), sinks: [stuck, well] });
  const ask = await serveApp(sending.domain);
  const waiting = async (sink: string) => {
    const { text } = await ask("/metrics");
    const value = (name: string) => Number(new RegExp(`^environment_manager_${name}\\{sink="${sink}"\\} (\\S+)$`, "m").exec(text)?.[1]);
    return [value("sink_backlog_records"), value("sink_backlog_age_seconds")];
  };
  expect(await waiting("stuck")).toEqual([0, 0]);
  await sending.project.create("staging");
  await sending.settled();
  sending.clock.time += 60_000;
  await sending.project.configure("staging", { vars: { A: "1" } });
  await sending.settled();
  sending.clock.time += 30_000;
  expect(await waiting("stuck")).toEqual([2, 90]);
  expect(await waiting("well")).toEqual([0, 0]);

  const receiver = await openReceiver();
  const { id } = await sending.domain.webhooks.create(ADA, PROJECT, { url: `${receiver.url}/hook`, events: ["*"] });
  await receiver.behave("500");
  await sending.project.configure("staging", { vars: { A: "2" } });
  await sending.settled();
  sending.clock.time += 10_000;
  expect(await waiting("webhook")).toEqual([1, 10]);
  await sending.domain.webhooks.patch(ADA, PROJECT, id, { active: false });
  expect(await waiting("webhook")).toEqual([0, 0]);

  away = false;
  await sending.after(LONG_ENOUGH);
  expect(await waiting("stuck")).toEqual([0, 0]);
});
