import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Canaries } from "./canaries.ts";
import { runCommand } from "./commands.ts";
import { mistakes, names, refusals } from "./refused-ways.ts";
import { Run } from "./run.ts";
import * as ways from "./ways.ts";

/**
 * Secrets go in by every way that takes one, each with a value of its own; the engine is killed, started again, and its vault's key
 * replaced. Meanwhile and afterwards they are looked for wherever they must not be: replies, log, files, exports, what commands print.
 */
let run: Run;
let database = "";
const TIMEOUT_MS = 180_000;
const commands: Record<string, { readonly code: number | null; readonly output: string }> = {};

/** No secret, and sent as none: it must be found wherever the others must not. */
const planted = new Canaries();
const seen = new Set<string>();

/** Canaries that were revealed, one list for each time that everything was. */
const revealed: (readonly string[])[] = [];

beforeAll(async () => {
  run = await Run.open();
  database = join(run.engine.directory, "env.db");
  const { approver, reader } = await ways.access(run);
  await ways.environments(run);
  await ways.webhooks(run);
  await ways.repositories(run);
  await ways.mirrors(run);
  await ways.edits(run);
  await ways.flags(run);
  await ways.promotions(run, approver);
  await ways.histories(run);
  await refusals(run, reader);
  await mistakes(run);
  await names(run);
  await plant(planted.mint("planted"));
  await ways.toldEverybody(run);
  await readAll();
  run.lookAround("while it runs");
  await ways.killedWhileWriting(run);
  run.lookAround("after kill -9");
  await run.start();
  await readAll();
  await run.engine.stop();
  run.lookAround("after it was stopped");
  await command("vault-rotate");
  await run.start();
  await readAll();
  await run.engine.stop();
  await command("store-check");
  run.lookAround("after all");
  run.sightings.push(...run.canaries.findInRows("database", database));
  // Its output comes through a pipe: all of it is there once it has ended.
  see("output", planted.find("", run.engine.output()));
  see("database", planted.findInRows("", database));
}, TIMEOUT_MS);
afterAll(() => run.close());

async function plant(value: string): Promise<void> {
  const body = { vars: { PLANTED: value } };
  const reply = await run.ask({
    method: "PATCH",
    path: `/env/${ways.PROJECT}/development/config`,
    body,
    headers: { "x-request-id": value },
  });
  see("reply headers", planted.find("", JSON.stringify(reply.headers)));
  const config = await run.ask({ method: "GET", path: `/env/${ways.PROJECT}/development/config` });
  see("reply", planted.find("", config.text));
  see("files", planted.findInFiles("", run.engine.directory));
}

function see(place: string, sightings: readonly unknown[]): void {
  if (sightings.length > 0) seen.add(place);
}

async function readAll(): Promise<void> {
  run.revealed.clear();
  await ways.reveals(run);
  await ways.readings(run);
  revealed.push([...run.revealed].filter((name) => !name.startsWith(ways.KILLED)).sort());
}

/** The vault's key is a canary too, the one before and the one after. */
async function command(script: "store-check" | "vault-rotate"): Promise<void> {
  const rememberKey = () =>
    run.canaries.rememberBytes(`the master key at ${script}`, Buffer.from(readFileSync(`${database}.key`, "utf8"), "base64"));
  if (script === "vault-rotate") rememberKey();
  const outcome = await runCommand(script, `sqlite:${database}`);
  if (script === "store-check") rememberKey();
  commands[script] = outcome;
  run.look(`what ${script} prints`, outcome.output);
}

test.each([
  ["no reply but those of the two routes that reveal it", /^the (?:reply|headers)/],
  ["nothing that the engine prints, at its most talkative", /^output/],
  ["no file: while it runs, after kill -9, after a stop, after a rotation", /^files/],
  ["no field of its database", /^database/],
  ["nothing that commands print", /^what (?:vault|store)/],
  ["nothing that other engines and webhooks are told", /^what others/],
])("a secret is in %s", (_where, places) => {
  const found = run.sightings.filter(({ place }) => places.test(place));
  expect(found.map(({ canary, encoding, place }) => `${canary}: ${encoding}, in ${place}`)).toEqual([]);
});

test("what is no secret is in all these places, and is found there", () => {
  expect([...seen].sort()).toEqual(["database", "files", "output", "reply", "reply headers"]);
});

test("what went in comes out where it belongs, after a kill and a rotation too, and what was refused nowhere", () => {
  const kept = [...ways.KEPT].sort();
  expect(revealed).toEqual([kept, kept, kept]);
});

test("everybody who can be told something has been", () => {
  const paths = ["/validation/check", "/monitoring/logs", "/deploy", "/builder/preview", "/feedback/requests"];
  const hooks = ["its address", "the address of one that fails"].map((name) => new URL(run.addresses.value(name)).pathname);
  expect([...paths, ...hooks].filter((path) => !run.outside.hasHeard(path))).toEqual([]);
});

test("every operation that the engine documents has been asked", () => {
  const ids = run.reference.operations.map(({ operationId }) => operationId);
  expect(ids.filter((id) => !run.asked.has(id))).toEqual([]);
});

test("the commands did their work", () => {
  expect(commands["vault-rotate"]).toMatchObject({ code: 0, output: expect.stringContaining("Done: the secrets of 1 project") });
  expect(commands["store-check"]).toMatchObject({ code: 0, output: expect.stringContaining("Everything in 1 project resolves.") });
});
