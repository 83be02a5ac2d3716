import { expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { caller, PROJECT } from "../domain/support.ts";
import { deliverer, expectAllTaken, monitoringAt, openReceiver, openSending, type Sending } from "./support.ts";

const HOUR = 60 * 60_000;
const STATUSES = ["429", "503"] as const;

/** Milliseconds from now until the sink is tried again. */
async function rest(sending: Sending, name: string): Promise<number> {
  return Date.parse((await sending.sink(name)).next_at ?? "") - sending.clock.time;
}

test.each(STATUSES)("a receiver that asks for an hour with %s has it, and then everything", async (status) => {
  const receiver = await openReceiver();
  const sending = await openSending({ deliverer: deliverer() });
  await sending.project.create("staging");
  const { id, secret } = await sending.domain.webhooks.create(caller("ada"), PROJECT, { url: `${receiver.url}/hook` });
  await receiver.expectSecrets(secret);
  await receiver.behave(status, "", "3600");
  await sending.project.set("staging", { "flows/a": {} });
  await sending.settled();
  expect(await rest(sending, id)).toBeGreaterThanOrEqual(HOUR);
  const { arrived } = await receiver.seen();
  await sending.project.set("staging", { "flows/b": {} });
  await sending.after(HOUR);
  expect((await receiver.seen()).arrived).toEqual(arrived);

  await receiver.behave("well");
  await sending.after(LIMITS.sinkRetryMs * 2);
  await expectAllTaken(sending, receiver, 3);
});

test("a receiver that asks for a year, or for nonsense, is asked again before long", async () => {
  const receiver = await openReceiver();
  const sending = await openSending({ deliverer: deliverer() });
  await sending.project.create("staging");
  const { id } = await sending.domain.webhooks.create(caller("ada"), PROJECT, { url: `${receiver.url}/hook` });
  await receiver.behave("503", "", String(365 * 24 * 60 * 60));
  await sending.project.set("staging", { "flows/a": {} });
  await sending.settled();
  expect(await rest(sending, id)).toBeGreaterThanOrEqual(LIMITS.sinkRestMs);
  await receiver.behave("503");
  await sending.after(LIMITS.sinkRestMs + LIMITS.sinkRetryMs);
  for (const nonsense of ["soon", "-5", "1e9", "99999999999999", ""]) {
    await receiver.behave("503", "", nonsense);
    await sending.after(LIMITS.sinkRetryMaxMs);
    expect(await rest(sending, id)).toBeLessThanOrEqual(LIMITS.sinkRetryMaxMs);
  }
});

test.each(STATUSES)("Monitoring that asks for an hour with %s has it for each project that it was asked about", async (status) => {
  const receiver = await openReceiver();
  const sending = await openSending({ sinks: [monitoringAt(receiver.url)] });
  await receiver.behave(status, "", new Date(Date.now() + HOUR).toUTCString());
  await sending.project.create("staging");
  await sending.settled();
  const asked = await rest(sending, "monitoring");
  expect(asked).toBeGreaterThan(HOUR - 60_000);
  expect(asked).toBeLessThanOrEqual(HOUR + LIMITS.sinkRetryMs);
  const { arrived } = await receiver.seen();
  expect(arrived).toHaveLength(1);
  await sending.after(HOUR - 60_000);
  expect((await receiver.seen()).arrived).toEqual(arrived);
});
