import { expect, test } from "vitest";
import { HttpWebhooks } from "../../src/engines/webhooks.ts";
import { keys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { WebhookDocument, WebhookRequest } from "../../src/webhook-documents.ts";
import { expectReads } from "../domain/reads.ts";
import { auditRecords, caller, codeOf, document, documents, engineCaller, PROJECT, vaultEntries } from "../domain/support.ts";
import type { Behaviour } from "./stand-ins/receiver.ts";
import {
  deliverer,
  expectAllTaken,
  LONG_ENOUGH,
  openReceiver,
  openSending,
  type Receiver,
  type Sending,
  sinkDocuments,
} from "./support.ts";

const ADA = caller("ada");
const DAY = 24 * 60 * 60_000;

async function open(timeoutMs?: number) {
  const receiver = await openReceiver();
  const sending = await openSending({ deliverer: deliverer(timeoutMs) });
  await sending.project.create("staging");
  await sending.settled();
  return { receiver, sending, hook: (request: Partial<WebhookRequest> = {}) => createHook(sending, receiver, request) };
}

async function createHook({ domain }: Sending, receiver: Receiver, request: Partial<WebhookRequest>) {
  const webhook = await domain.webhooks.create(ADA, PROJECT, { url: `${receiver.url}/hook`, ...request });
  await receiver.expectSecrets(webhook.secret);
  return webhook;
}

async function write({ project }: Sending, count = 1): Promise<void> {
  for (let index = 0; index < count; index++) await project.configure("staging", { vars: { A: String(Math.random()) } });
}

test("a webhook gets what is recorded after it was made: CloudEvents that hold the record, signed as Standard Webhooks has it", async () => {
  const { receiver, sending, hook } = await open();
  const { id, secret } = await hook();
  await write(sending);
  await sending.project.policy({});
  await sending.settled();

  const { events, breaches } = await receiver.seen();
  expect(breaches).toEqual([]);
  const records = await auditRecords(sending.store);
  expect(events).toMatchObject([
    {
      specversion: "1.0",
      id: `${PROJECT}:3`,
      type: "io.puraify.environment-manager.config",
      source: `/env/${PROJECT}/staging`,
      subject: "staging",
      datacontenttype: "application/json",
      data: records[2],
    },
    { id: `${PROJECT}:4`, type: "io.puraify.environment-manager.policy", source: `/env/${PROJECT}`, data: records[3] },
  ]);
  expect(events[1]).not.toHaveProperty("subject");
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(await sending.sink(id)).toMatchObject({ kind: "webhook", state: "ok", cursor: 4, backlog: 0, taken: 2 });
  const deliveries = await sending.domain.webhooks.deliveries(PROJECT, id);
  expect(deliveries).toMatchObject([
    { id: `${PROJECT}:4`, outcome: "taken", status: 200, error: null },
    { id: `${PROJECT}:3`, type: "io.puraify.environment-manager.config", outcome: "taken", status: 200 },
  ]);
  expect(sending.failures).toEqual([]);
});

test("an event is signed as of the store's time, whatever this machine's clock says", async () => {
  const { receiver, sending, hook } = await open();
  const { id } = await hook();
  await write(sending);
  await sending.settled();
  expect((await receiver.seen()).signedAt).toBe(sending.clock.time / 1_000);
  await sending.after(DAY);
  await sending.domain.webhooks.ping(PROJECT, id);
  expect(await receiver.seen()).toMatchObject({ signedAt: sending.clock.time / 1_000, breaches: [] });
});

test("the signing secret is shown once: it stands in no document, record or view", async () => {
  const { sending, hook, receiver } = await open();
  const { id, secret } = await hook();
  await write(sending);
  await sending.settled();
  const { webhooks, sinks } = sending.domain;
  const kept = [
    ...(await documents(sending.store)),
    ...(await sinkDocuments(sending)),
    ...(await documents(sending.store, `_vault:${PROJECT}`)),
    await webhooks.list(PROJECT),
    await webhooks.view(PROJECT, id),
    await webhooks.deliveries(PROJECT, id),
    await sinks.overview(PROJECT),
    (await receiver.seen()).events,
  ];
  expect(JSON.stringify(kept)).not.toContain(secret.slice("whsec_".length, -1));
  // Of the URL too, records name the host alone.
  expect(JSON.stringify(await auditRecords(sending.store))).not.toContain("/hook");
});

test.each([
  [["promote"], ["*"], []],
  [["config"], ["staging"], ["config"]],
  [["config", "policy"], ["staging"], ["config"]],
  [["*"], ["prod*"], ["create", "deployment.deploying", "deployment.failed"]],
  [["deployment.*"], ["*"], ["deployment.deploying", "deployment.failed"]],
  [["deployment.failed"], ["*"], ["deployment.failed"]],
  [["deployment"], ["*"], ["deployment.deploying", "deployment.failed"]],
  [["pol*", "create"], ["*"], ["policy", "create"]],
])("of %j in %j it hears of %j, and its cursor passes the rest", async (events, envs, expected) => {
  const { receiver, sending, hook } = await open();
  const { id } = await hook({ events, envs });
  await write(sending);
  await sending.project.policy({});
  await sending.project.create("production");
  const report = { project: PROJECT, env: "production", version: "v0.1.0" };
  for (const status of ["deploying", "failed"] as const)
    await sending.domain.deployments.report(engineCaller("planner"), { ...report, status });
  await sending.settled();
  const types = (await receiver.seen()).events.map(({ type }) => String(type).slice("io.puraify.environment-manager.".length));
  expect(types).toEqual(expected);
  expect(await sending.sink(id)).toMatchObject({ backlog: 0, taken: expected.length });
});

const FAULTS: readonly Behaviour[] = ["nothing", "silent", "500", "503", "garbage", "half", "redirect", "huge", "401", "404", "429"];

test.each(FAULTS)("a receiver that answers with %s delays no writer, and loses nothing", async (fault) => {
  const { receiver, sending, hook } = await open(fault === "silent" ? 300 : undefined);
  const { id } = await hook();
  await receiver.behave(fault);
  await write(sending, 3);
  await sending.project.set("staging", { "flows/a": {} });
  await sending.settled();
  expect(await sending.sink(id)).toMatchObject({ state: "failing", backlog: 4, failures: 1 });
  await expectReads(sending, "staging");
  expect(await sending.domain.webhooks.deliveries(PROJECT, id)).toMatchObject([{ id: `${PROJECT}:3`, outcome: "failed" }]);
  await receiver.behave("well");
  await sending.after(LONG_ENOUGH);
  await expectAllTaken(sending, receiver, 3);
  expect(await sending.sink(id)).toMatchObject({ state: "ok", backlog: 0, refused_count: 0 });
});

test("a receiver that is slow holds up no writer, and has everything once", async () => {
  const { receiver, sending, hook } = await open();
  await hook();
  await receiver.behave("hold");
  await sending.project.set("staging", { "flows/a": {} });
  await write(sending, 5);
  await expectReads(sending, "staging");
  await receiver.behave("well");
  await sending.settled();
  await expectAllTaken(sending, receiver, 3);
  expect((await receiver.seen()).taken).toHaveLength(6);
});

test("an event that is refused again and again is noted and passed; a receiver that only refused for a while has everything", async () => {
  const { receiver, sending, hook } = await open();
  const { id } = await hook();
  await receiver.behave("400", '"action":"policy"');
  await sending.project.policy({});
  await write(sending);
  await sending.settled();
  for (let attempt = 2; attempt < LIMITS.webhookRefusals; attempt++) await sending.after(LONG_ENOUGH);
  expect(await sending.sink(id)).toMatchObject({ state: "failing", failures: LIMITS.webhookRefusals - 1, backlog: 2 });
  await sending.after(LONG_ENOUGH);
  expect(await sending.sink(id)).toMatchObject({
    state: "ok",
    backlog: 0,
    refused: [{ seq: 3, reason: "The receiver answers with status 400." }],
  });
  expect((await receiver.seen()).taken).toEqual([`${PROJECT}:4`]);

  await receiver.behave("400");
  await write(sending);
  await sending.settled();
  await sending.after(LONG_ENOUGH);
  await receiver.behave("well");
  await sending.after(LONG_ENOUGH);
  expect((await receiver.seen()).taken).toEqual([`${PROJECT}:4`, `${PROJECT}:5`]);
});

test("a receiver that says it is gone is switched off, with a record of why", async () => {
  const { receiver, sending, hook } = await open();
  const { id } = await hook();
  await receiver.behave("410");
  await write(sending, 2);
  await sending.settled();
  const shown = await sending.domain.webhooks.view(PROJECT, id);
  expect(shown).toMatchObject({ active: false, disabled: { reason: "The receiver answers with status 410." } });
  expect((await auditRecords(sending.store)).at(-1)).toMatchObject({
    action: "webhook_disabled",
    actor: "engine",
    details: { webhook: id },
  });
  expect(await sending.sink(id)).toMatchObject({ state: "inactive", cursor: 2, backlog: 3 });
  expect((await receiver.seen()).arrived).toHaveLength(1);
  await sending.after(LONG_ENOUGH);
  expect((await receiver.seen()).arrived).toHaveLength(1);

  await receiver.behave("well");
  await sending.domain.webhooks.patch(ADA, PROJECT, id, { active: true });
  await sending.settled();
  await expectAllTaken(sending, receiver, 3);
  expect(await sending.domain.webhooks.view(PROJECT, id)).toMatchObject({ active: true, disabled: null });
});

test("a receiver that fails for days is switched off, never silently, and has a new chance when it is switched on", async () => {
  const { receiver, sending, hook } = await open();
  const { id } = await hook();
  await receiver.behave("500");
  await write(sending);
  await sending.settled();
  await sending.after(LIMITS.webhookGiveUpMs - 1_000_000);
  expect((await sending.domain.webhooks.view(PROJECT, id)).active).toBe(true);
  await sending.after(DAY);
  const { active, disabled } = await sending.domain.webhooks.view(PROJECT, id);
  expect(active).toBe(false);
  expect(disabled?.reason).toMatch(
    /^nothing but failures since 2026-01-01T00:00:00.\d+Z, the last: The receiver answers with status 500\.$/,
  );
  expect((await auditRecords(sending.store)).at(-1)).toMatchObject({ action: "webhook_disabled" });

  await sending.after(DAY);
  await sending.domain.webhooks.patch(ADA, PROJECT, id, { active: true });
  await sending.settled();
  expect((await sending.domain.webhooks.view(PROJECT, id)).active).toBe(true);
  await receiver.behave("well");
  await sending.after(LONG_ENOUGH);
  await expectAllTaken(sending, receiver, 3);
});

test("what a patch changes counts at once: a new address is tried without a pause", async () => {
  const { receiver, sending, hook } = await open();
  const { id } = await hook();
  const other = await openReceiver();
  await receiver.behave("500");
  await write(sending);
  await sending.settled();
  expect((await sending.sink(id)).next_at).not.toBeNull();
  const { secret } = await hook();
  await sending.domain.webhooks.patch(ADA, PROJECT, id, { description: "no new chance by itself" });
  await sending.settled();
  expect((await sending.sink(id)).failures).toBe(1);
  sending.clock.time += 100;
  await sending.domain.webhooks.patch(ADA, PROJECT, id, { url: `${other.url}/hook`, events: ["config"] });
  await sending.settled();
  expect((await other.seen()).taken).toEqual([`${PROJECT}:3`]);
  expect(secret).not.toBe("");
});

test("a webhook whose secret is gone from the vault says so, and how to get another", async () => {
  const { sending, hook } = await open();
  const { id } = await hook();
  const [, name = "", entry = ""] = /^_webhooks\/(.*)@(.*)$/.exec((await vaultEntries(sending.store))[0] ?? "") ?? [];
  await sending.vault.delete({ project: PROJECT, env: "_webhooks", name, id: entry });
  await write(sending);
  await sending.settled();
  const shown = await sending.domain.sinks.overview(PROJECT);
  expect(JSON.stringify(shown)).toContain(`The secret that the webhook ${id} signs with is gone from the vault.`);
});

test("after a rotation events are signed with both secrets for a while, and then with the new one alone", async () => {
  const { receiver, sending, hook } = await open();
  const { id, secret } = await hook();
  expect(await vaultEntries(sending.store)).toHaveLength(1);
  const rotated = await sending.domain.webhooks.rotate(ADA, PROJECT, id, "2h");
  expect(rotated.secret).not.toBe(secret);
  expect(rotated.previous_until).toBe(new Date(sending.clock.time + 7_200_000).toISOString());
  await receiver.expectSecrets(secret, rotated.secret);
  await write(sending);
  await sending.settled();
  expect(await receiver.seen()).toMatchObject({ signatures: 2, breaches: [] });
  expect(await vaultEntries(sending.store)).toHaveLength(2);

  await sending.after(2 * 60 * 60_000);
  await receiver.expectSecrets(rotated.secret);
  await write(sending);
  await sending.settled();
  expect(await receiver.seen()).toMatchObject({ signatures: 1, breaches: [] });
  expect((await sending.domain.webhooks.view(PROJECT, id)).previous_until).toBeNull();
  // The old one leaves the vault.
  await sending.after(1);
  await sending.domain.sweeper.sweep();
  expect(await vaultEntries(sending.store)).toHaveLength(1);
});

test("a rotation may end the secret before at once, and another takes the one before that with it", async () => {
  const { receiver, sending, hook } = await open();
  const { id } = await hook();
  await sending.domain.webhooks.rotate(ADA, PROJECT, id, undefined);
  const third = await sending.domain.webhooks.rotate(ADA, PROJECT, id, "0s");
  expect(third.previous_until).toBeNull();
  await receiver.expectSecrets(third.secret);
  await write(sending);
  await sending.settled();
  expect(await receiver.seen()).toMatchObject({ signatures: 1, breaches: [] });
  await sending.domain.sweeper.sweep();
  expect(await vaultEntries(sending.store)).toHaveLength(1);
  expect(await codeOf(sending.domain.webhooks.rotate(ADA, PROJECT, id, "30d1s"))).toBe("invalid_request");
  const { previous_until } = await sending.domain.webhooks.rotate(ADA, PROJECT, id, "30d");
  expect(Date.parse(previous_until ?? "")).toBe(sending.clock.time + LIMITS.webhookMaxOverlapMs);
});

test("a webhook that is deleted gets nothing more, and leaves nothing behind", async () => {
  const { receiver, sending, hook } = await open();
  const { id } = await hook();
  await write(sending);
  await sending.settled();
  await sending.domain.webhooks.rotate(ADA, PROJECT, id, undefined);
  await sending.settled();
  const before = (await receiver.seen()).arrived.length;
  expect(await sending.domain.webhooks.remove(ADA, PROJECT, id)).toEqual({ status: "deleted", id });
  await write(sending);
  await sending.settled();
  await sending.after(DAY);
  await sending.domain.sweeper.sweep();
  expect((await receiver.seen()).arrived).toHaveLength(before);
  expect(await sinkDocuments(sending)).toEqual([]);
  expect(await vaultEntries(sending.store)).toEqual([]);
  expect(await documents(sending.store, PROJECT, "webhook/")).toEqual([]);
  expect(await documents(sending.store, PROJECT, "secret/_webhooks")).toEqual([]);
  expect(await codeOf(sending.domain.webhooks.view(PROJECT, id))).toBe("webhook_not_found");
  expect(sending.failures).toEqual([]);
});

test("a ping goes out at once, active or not, and tells what came back", async () => {
  const { receiver, sending, hook } = await open();
  const { id } = await hook();
  await sending.settled();
  const { webhooks } = sending.domain;
  expect(await webhooks.ping(PROJECT, id)).toMatchObject({ delivered: true, status: 200, error: null });
  const { events, breaches } = await receiver.seen();
  expect(events).toMatchObject([{ type: "io.puraify.environment-manager.ping", data: { project: PROJECT, webhook: id } }]);
  expect(breaches).toEqual([]);
  await webhooks.patch(ADA, PROJECT, id, { active: false });
  await receiver.behave("404");
  expect(await webhooks.ping(PROJECT, id)).toMatchObject({ delivered: false, status: 404, error: "The receiver answers with status 404." });
  await receiver.behave("redirect");
  const redirected = await webhooks.ping(PROJECT, id);
  expect(redirected).toMatchObject({ delivered: false, status: null });
  expect(redirected.error).toContain("redirects are not followed");
  await receiver.stop();
  expect((await webhooks.ping(PROJECT, id)).error).toContain("cannot be reached");
});

test("two webhooks do not wait for one another", async () => {
  const { receiver, sending, hook } = await open();
  const slow = await openReceiver();
  await slow.behave("hold");
  await hook({ url: `${slow.url}/hook` });
  const { id } = await hook({ events: ["config"] });
  await write(sending, 3);
  await expect.poll(async () => (await receiver.seen()).taken.length).toBe(3);
  expect((await slow.seen()).taken).toEqual([]);
  await slow.behave("well");
  await sending.settled();
  expect((await sending.sink(id)).backlog).toBe(0);
});

test("of the attempts the newest are kept", async () => {
  const { sending, hook } = await open();
  const { id } = await hook();
  await write(sending, LIMITS.webhookDeliveries + 5);
  await sending.settled();
  const deliveries = await sending.domain.webhooks.deliveries(PROJECT, id);
  expect(deliveries).toHaveLength(LIMITS.webhookDeliveries);
  expect(deliveries[0]?.id).toBe(`${PROJECT}:${LIMITS.webhookDeliveries + 5 + 2}`);
});

test("a project has as many webhooks as it may, and not one more", async () => {
  const { sending, receiver } = await open();
  const request = { url: `${receiver.url}/hook`, events: ["promote"] };
  const made = await Promise.all(Array.from({ length: LIMITS.webhooks }, () => sending.domain.webhooks.create(ADA, PROJECT, request)));
  expect(await codeOf(sending.domain.webhooks.create(ADA, PROJECT, request))).toBe("too_large");
  await sending.domain.sweeper.sweep();
  expect(await vaultEntries(sending.store)).toHaveLength(LIMITS.webhooks);
  await sending.domain.webhooks.remove(ADA, PROJECT, made[0]?.id ?? "");
  await sending.domain.webhooks.create(ADA, PROJECT, request);
  expect(await sending.domain.webhooks.list(PROJECT)).toHaveLength(LIMITS.webhooks);
});

test.each([
  ["http://hooks.example.com/x", "must begin with https"],
  ["https://10.0.0.1/x", "private address"],
  ["https://127.0.0.1:22/x", "service other than HTTP"],
  ["https://[::1]/x", "private address"],
  ["https://169.254.169.254/latest/meta-data", "private address"],
  ["https://internal.example/x", "private address"],
  ["https://user:pass@hooks.example.com/x", "user name or a password"],
  ["ftp://hooks.example.com/x", "not a valid http or https URL"],
  ["nonsense", "not a valid http or https URL"],
])("events may not be sent to %s: nothing is made", async (url, why) => {
  const lookup = async (host: string) => (host === "internal.example" ? ["93.184.215.14", "192.168.1.1"] : ["93.184.215.14"]);
  const sending = await openSending({ deliverer: new HttpWebhooks({ lookup }) });
  await sending.project.create("staging");
  const refused = await sending.domain.webhooks.create(ADA, PROJECT, { url }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "target_not_allowed", status: 400, message: expect.stringContaining(why) });
  expect(await sending.domain.webhooks.list(PROJECT)).toEqual([]);
  expect(await vaultEntries(sending.store)).toEqual([]);
});

test("a name that leads elsewhere later is refused at each delivery", async () => {
  let addresses = ["93.184.215.14"];
  const sending = await openSending({ deliverer: new HttpWebhooks({ lookup: async () => addresses }) });
  await sending.project.create("staging");
  const { id } = await sending.domain.webhooks.create(ADA, PROJECT, { url: "https://hooks.example.com/x" });
  addresses = ["127.0.0.1"];
  await write(sending);
  await sending.settled();
  const { state, last_error } = await sending.sink(id);
  expect(state).toBe("failing");
  expect(last_error?.reason).toContain("private address");
});

test.each([{ events: ["Promote"] }, { events: ["**"] }, { events: ["a b"] }, { envs: ["**"] }, { envs: ["a/b"] }])(
  "%j is refused as what it is",
  async (patterns) => {
    const { sending, receiver } = await open();
    const url = `${receiver.url}/hook`;
    expect(await codeOf(sending.domain.webhooks.create(ADA, PROJECT, { url, ...patterns }))).toBe("invalid_request");
  },
);

test.each(["promotoin", "deployment.done", "token_created", "deployed*"])(
  "%s is no event, which is told with those that there are",
  async (event) => {
    const { sending, receiver, hook } = await open();
    const refused = {
      code: "invalid_request",
      message: expect.stringContaining(`"${event}"`),
      fix: expect.stringContaining("deployment.failed"),
    };
    const events = ["promote", event];
    await expect(sending.domain.webhooks.create(ADA, PROJECT, { url: `${receiver.url}/hook`, events })).rejects.toMatchObject(refused);
    const { id } = await hook();
    await expect(sending.domain.webhooks.patch(ADA, PROJECT, id, { events })).rejects.toMatchObject(refused);
  },
);

test("of a project or a webhook that there is not, nothing is made or found", async () => {
  const { sending, receiver, hook } = await open();
  const { webhooks } = sending.domain;
  expect(await codeOf(webhooks.create(ADA, "nowhere", { url: `${receiver.url}/hook` }))).toBe("project_not_found");
  expect(await documents(sending.store, "nowhere")).toEqual([]);
  for (const id of ["wh0123456789abcdef", "nonsense", "../x", ""]) {
    expect(await codeOf(webhooks.view(PROJECT, id))).toBe("webhook_not_found");
    expect(await codeOf(webhooks.ping(PROJECT, id))).toBe("webhook_not_found");
    expect(await codeOf(webhooks.rotate(ADA, PROJECT, id, undefined))).toBe("webhook_not_found");
    expect(await codeOf(webhooks.remove(ADA, PROJECT, id))).toBe("webhook_not_found");
  }
  const { id } = await hook();
  const kept = await document<WebhookDocument>(sending.store, keys.webhook(id));
  expect(kept.secret.vault).toMatch(new RegExp(`^_webhooks/${id}@`));
});
