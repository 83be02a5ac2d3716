import { expect, test } from "vitest";
import { told } from "../../src/engines/monitoring-text.ts";
import { keys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { AuditRecord } from "../../src/model.ts";
import { projectActions, read } from "../docs/support.ts";
import { expectReads } from "../domain/reads.ts";
import { auditRecords, caller, codeOf, document, engineCaller, Project, tamper } from "../domain/support.ts";
import type { Behaviour } from "./stand-ins/receiver.ts";
import { expectAllTaken, LONG_ENOUGH, MINUTE, monitoringAt, openReceiver, openSending } from "./support.ts";

async function open() {
  const receiver = await openReceiver();
  return { receiver, sending: await openSending({ sinks: [monitoringAt(receiver.url)] }) };
}

test("every record arrives in order, in the shape of the contract and in words", async () => {
  const { receiver, sending } = await open();
  const ada = new Project(sending.domain, { as: caller("ada") });
  await ada.create("staging");
  await ada.set("staging", { "entities/Order": { fields: 1 } });
  await ada.create("production", { base: "staging" });
  await ada.set("staging", { "entities/Note": {} });
  const { version } = await ada.promote("staging", "production", { message: "for the spring sale" });
  await ada.configure("staging", { secrets: { API_KEY: "s3cr3t-value" } });
  await ada.secrets("staging");
  await ada.rollback("production", 1);
  await ada.policy({ environments: { production: { approvals: 1 } } });
  await sending.settled();

  await expectAllTaken(sending, receiver);
  const { logs, taken, alerts } = await receiver.seen();
  expect(new Set(taken).size).toBe(taken.length);
  expect(logs.map(({ message }) => message)).toContain(`ada promoted ${version} to production: for the spring sale`);
  const promoted = logs.find(({ action }) => action === "promote");
  expect(promoted).toMatchObject({ level: "info", event_type: "promotion", status: "success", user: "ada", env: "production", version });
  expect(logs.find(({ action }) => action === "rollback")).toMatchObject({ level: "warn" });
  expect(JSON.stringify(logs)).not.toContain("s3cr3t-value");
  expect(alerts).toEqual([]);
  const records = await auditRecords(sending.store);
  expect(await sending.sink("monitoring")).toEqual({
    name: "monitoring",
    kind: "monitoring",
    state: "ok",
    head: records.length,
    cursor: records.length,
    backlog: 0,
    backlog_since: null,
    taken: records.length,
    refused_count: 0,
    refused: [],
    failures: 0,
    next_at: null,
    last_error: null,
  });
  expect(sending.failures).toEqual([]);
});

test("each action that a project's log may have is told in words", () => {
  const actions = projectActions(read("ENGINE_SPEC.md"));
  expect(actions).toContain("mirror_set");
  for (const action of actions) {
    const record = { action, actor: "ada", environment: "staging", version: "v1", details: { status: "failed" } };
    expect(told(record as unknown as AuditRecord).message, action).not.toContain('did "');
  }
});

test("a push that is not taken over is no success", () => {
  const details = { commit: "c0ffee", code: "environment_protected", reason: "It is protected." };
  const record = { action: "pull_refused", actor: "engine", environment: "staging", version: null, details };
  expect(told(record as unknown as AuditRecord)).toEqual({
    message: "engine could not take over what was pushed for staging: It is protected.",
    level: "error",
    event_type: "pull",
    status: "failed",
  });
});

const FAULTS: readonly Behaviour[] = ["nothing", "500", "503", "garbage", "half", "redirect", "huge", "401", "429"];

test.each(FAULTS)("an engine that answers with %s delays no writer, and loses nothing", async (fault) => {
  const { receiver, sending } = await open();
  const { project } = sending;
  await project.create("staging");
  await sending.settled();
  await receiver.behave(fault);
  for (let index = 0; index < 5; index++) await project.set("staging", { "entities/Order": { index } });
  await sending.settled();

  await expectReads(sending, "staging");
  const failing = await sending.sink("monitoring");
  expect(failing).toMatchObject({ state: "failing", cursor: 1, backlog: 5, failures: 1 });
  expect(failing.last_error?.reason).toMatch(/^The Monitoring engine /);
  await sending.after(0);
  expect((await sending.sink("monitoring")).failures).toBe(1);
  await sending.after(2_000);
  expect((await sending.sink("monitoring")).failures).toBe(2);
  // Another writer is no reason to try before the time.
  await project.set("staging", { "entities/Order": { index: 5 } });
  await sending.settled();
  expect((await sending.sink("monitoring")).failures).toBe(2);

  await receiver.behave("well");
  await sending.after(LONG_ENOUGH);
  await expectAllTaken(sending, receiver);
  expect(await sending.sink("monitoring")).toMatchObject({ state: "ok", backlog: 0, failures: 0, next_at: null, refused_count: 0 });
  expect((await sending.sink("monitoring")).last_error).not.toBeNull();
  expect(sending.failures).toEqual([]);
});

test("an engine that never answers is given up on after a time, and loses nothing", async () => {
  const { receiver, sending } = await open();
  await receiver.behave("silent");
  await sending.project.create("staging");
  await sending.project.set("staging", { "entities/Order": {} });
  await sending.settled();
  expect((await sending.sink("monitoring")).last_error?.reason).toContain(`did not answer within ${LIMITS.sinkTimeoutMs} ms`);
  await receiver.behave("well");
  await sending.after(LONG_ENOUGH);
  await expectAllTaken(sending, receiver);
});

test("an engine that is slow holds up no writer", async () => {
  const { receiver, sending } = await open();
  await receiver.behave("hold");
  await sending.project.create("staging");
  for (let index = 0; index < 20; index++) await sending.project.set("staging", { "entities/Order": { index } });
  expect((await receiver.seen()).taken).toEqual([]);
  await receiver.behave("well");
  await sending.settled();
  await expectAllTaken(sending, receiver);
});

test("an engine that is away for days gets everything when it is back, with ever longer pauses in between", async () => {
  const { receiver, sending } = await open();
  await receiver.stop();
  await sending.project.create("staging");
  await sending.settled();
  const pauses: number[] = [];
  for (let attempt = 1; attempt <= 14; attempt++) {
    const { failures, next_at } = await sending.sink("monitoring");
    expect(failures).toBe(attempt);
    pauses.push(Date.parse(next_at ?? "") - sending.clock.time);
    await sending.project.set("staging", { "entities/Order": { attempt } });
    await sending.after(LIMITS.sinkRetryMaxMs);
  }
  for (const [index, pause] of pauses.entries()) {
    const longest = Math.min(LIMITS.sinkRetryMs * 2 ** index, LIMITS.sinkRetryMaxMs);
    // The sender's own time goes on while it works.
    expect(pause).toBeGreaterThanOrEqual(longest / 2);
    expect(pause).toBeLessThan(longest + MINUTE);
  }
  await receiver.start();
  await sending.after(LONG_ENOUGH);
  await expectAllTaken(sending, receiver);
});

test("a record that is refused for good is noted and passed, and does not hold up the others", async () => {
  const { receiver, sending } = await open();
  await sending.project.create("staging");
  await sending.settled();
  await receiver.behave("400", '"action":"config"');
  await sending.project.configure("staging", { vars: { A: "1" } });
  await sending.project.set("staging", { "entities/Order": {} });
  await sending.settled();
  expect(await sending.sink("monitoring")).toMatchObject({
    state: "ok",
    cursor: 3,
    taken: 2,
    refused_count: 1,
    refused: [{ seq: 2, reason: "The Monitoring engine answers with status 400." }],
  });
  expect((await receiver.seen()).taken).toEqual(["pf-777:1", "pf-777:3"]);
});

test("of many refused records the newest are kept, with their number", async () => {
  const { receiver, sending } = await open();
  await receiver.behave("404");
  await sending.project.create("staging");
  for (let index = 0; index < 30; index++) await sending.project.configure("staging", { vars: { A: String(index) } });
  await sending.settled();
  const { refused, refused_count, taken } = await sending.sink("monitoring");
  expect({ refused_count, taken, kept: refused.length, newest: refused.at(-1)?.seq }).toEqual({
    refused_count: 31,
    taken: 0,
    kept: LIMITS.sinkRefusals,
    newest: 31,
  });
});

test("a record that somebody altered in the store is noted and passed", async () => {
  const { receiver, sending } = await open();
  await sending.project.create("staging");
  await sending.settled();
  await receiver.behave("500");
  await sending.project.set("staging", { "entities/Order": {} });
  await sending.project.set("staging", { "entities/Note": {} });
  await sending.settled();
  await tamper(sending.store, { put: { [keys.audit(2)]: "nothing" } });
  await receiver.behave("well");
  await sending.after(LONG_ENOUGH);
  expect((await receiver.seen()).taken).toEqual(["pf-777:1", "pf-777:3"]);
  expect((await sending.sink("monitoring")).refused).toMatchObject([{ seq: 2, reason: "The record was altered in the store." }]);
});

test("what was recorded before there was a sink is sent when there is one", async () => {
  const { domain, store, vault, project } = await openSending();
  await project.create("staging");
  await project.set("staging", { "entities/Order": {} });
  await domain.sinks.idle();
  const receiver = await openReceiver();
  const sending = await openSending({ store, vault, sinks: [monitoringAt(receiver.url)] });
  await sending.settled();
  await expectAllTaken(sending, receiver);
});

test("the sinks of a project that there is not are not found", async () => {
  const { sending } = await open();
  expect(await codeOf(sending.domain.sinks.overview("pf-777"))).toBe("project_not_found");
});

test("a deployment that fails alerts people, once it is told, and however often the alert has to be tried", async () => {
  const { receiver, sending } = await open();
  const { project, domain } = sending;
  await project.create("production");
  await project.create("staging", { base: "production" });
  await sending.settled();
  await receiver.behave("503", '"severity"');
  const report = { project: project.id, version: "v0.1.0", status: "failed" as const, reason: "no room" };
  await domain.deployments.report(engineCaller("planner"), { ...report, env: "production" });
  await domain.deployments.report(engineCaller("planner"), { ...report, env: "staging" });
  await sending.settled();
  expect(await sending.sink("monitoring")).toMatchObject({ state: "failing", cursor: 2 });
  await receiver.behave("well");
  await sending.after(LONG_ENOUGH);
  const { alerts, logs } = await receiver.seen();
  expect(alerts).toEqual([
    { project_id: "pf-777", severity: "critical", message: "Deploying v0.1.0 to production failed: no room", triggered_by: "planner" },
    { project_id: "pf-777", severity: "warning", message: "Deploying v0.1.0 to staging failed: no room", triggered_by: "planner" },
  ]);
  expect(logs.at(-1)).toMatchObject({ level: "error", status: "failed", message: "planner failed to deploy v0.1.0 to staging: no room" });
  await expectAllTaken(sending, receiver);
});

test("an alert that is refused for good is noted", async () => {
  const { receiver, sending } = await open();
  await sending.project.create("production");
  await receiver.behave("400", '"severity"');
  const report = { project: sending.project.id, env: "production", version: "v0.1.0", status: "failed" as const };
  await sending.domain.deployments.report(engineCaller("planner"), report);
  await sending.settled();
  expect((await sending.sink("monitoring")).refused).toMatchObject([
    { seq: 2, reason: "its alert: The Monitoring engine answers with status 400." },
  ]);
});

test("a validation that fails for an environment of production alerts people", async () => {
  const validator = { check: async () => ({ errors: [{ field: "trigger", reason: "is missing" }], warnings: [] }) };
  const receiver = await openReceiver();
  const sending = await openSending({ sinks: [monitoringAt(receiver.url)], validator });
  const { project } = sending;
  await project.create("staging");
  await project.create("live", { type: "production", base: "staging" });
  await project.create("qa", { type: "staging", base: "staging" });
  await project.policy({ environments: { live: { validation: "required" }, qa: { validation: "required" } } });
  await project.set("staging", { "flows/signup": { trigger: null, actions: [] } });
  expect(await codeOf(project.promote("staging", "live"))).toBe("checks_failed");
  expect(await codeOf(project.promote("staging", "qa"))).toBe("checks_failed");
  await sending.settled();
  const { alerts, logs } = await receiver.seen();
  expect(alerts).toMatchObject([
    { severity: "critical", message: expect.stringMatching(/^v\S+ may not go to live: /), triggered_by: "ann" },
  ]);
  expect(logs.filter(({ action, level }) => action === "validation_failed" && level === "error")).toHaveLength(2);
  await expectAllTaken(sending, receiver);
});

test("an audit log that was altered alerts people as soon as somebody verifies it, once within an hour", async () => {
  const { receiver, sending } = await open();
  const { project, domain, store } = sending;
  await project.create("staging");
  await project.set("staging", { "entities/Order": {} });
  await sending.settled();
  expect((await domain.audit.verify(project.id, null)).valid).toBe(true);
  expect((await domain.audit.verify(project.id, `1:${"0".repeat(64)}`)).valid).toBe(false);
  const record = await document<AuditRecord>(store, keys.audit(1));
  await tamper(store, { put: { [keys.audit(1)]: { ...record, actor: "mallory" } as never } });
  expect((await domain.audit.verify(project.id, null)).valid).toBe(false);
  expect((await domain.audit.verify(project.id, null)).valid).toBe(false);
  const alert = { severity: "critical", message: "The audit log of pf-777 is not what was written: record 1 was altered." };
  await expect.poll(async () => (await receiver.seen()).alerts).toMatchObject([alert]);
  sending.clock.time += LIMITS.alertEveryMs - 1;
  await domain.audit.verify(project.id, `1:${record.hash}`);
  expect((await receiver.seen()).alerts).toHaveLength(1);
  sending.clock.time += 1;
  await domain.audit.verify(project.id, `1:${record.hash}`);
  await expect.poll(async () => (await receiver.seen()).alerts).toMatchObject([alert, alert]);
  // By a clock that was set back since, nobody knows how long ago that was.
  sending.clock.time -= 24 * LIMITS.alertEveryMs;
  await domain.audit.verify(project.id, `1:${record.hash}`);
  await expect.poll(async () => (await receiver.seen()).alerts).toMatchObject([alert, alert, alert]);
});
