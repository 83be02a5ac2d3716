import { expect, onTestFinished, test } from "vitest";
import { Project } from "../domain/support.ts";
import { monitoringAt, openReceiver, openSending } from "./support.ts";

test("many deliveries at once leave nothing behind where they listen for the end", async () => {
  const warnings: string[] = [];
  const note = (warning: Error) => void warnings.push(warning.name);
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  const receiver = await openReceiver();
  const sending = await openSending({ sinks: [monitoringAt(receiver.url)] });
  await receiver.behave("hold");
  const projects = Array.from({ length: 40 }, (_, index) => new Project(sending.domain, { id: `pf-${index}` }));
  await Promise.all(projects.map((project) => project.create("staging")));
  await expect.poll(async () => (await receiver.seen()).arrived.length).toBe(16);
  await receiver.behave("well");
  await sending.settled();
  expect((await receiver.seen()).taken).toHaveLength(40);
  expect(warnings).toEqual([]);
});
