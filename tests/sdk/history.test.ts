import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createClient } from "../../src/sdk/index.ts";
import { Engine, useEngine } from "../support/engine.ts";
import { connected, next, Relay, reached, streaming } from "./support.ts";

const TOKEN = "root-token-of-the-history-tests";
const AT = { project: "history", env: "dev" };
const engine = useEngine({ token: TOKEN });

test("an answer that comes late takes nothing back: a copy never goes back within one history", async () => {
  const client = createClient({ url: engine.url, token: TOKEN });
  await client.createEnvironment({ project_id: AT.project, new_environment: AT.env, env_variables: { N: "1" } });
  let first: Response | undefined;
  let late = false;
  let given = 0;
  /** The engine's own answers; once `late`, the first one again in place of the newest. */
  const fetched = async (input: string, init: RequestInit): Promise<Response> => {
    const response = await fetch(input, init);
    if (!input.endsWith("/config")) return response;
    first ??= response.clone();
    if (!late) return response;
    late = false;
    given++;
    return first.clone();
  };
  const env = await connected({ url: engine.url, token: TOKEN, ...AT, fetch: fetched }).ready();
  await streaming(env);
  await client.patchConfig({ ...AT, vars: { N: "2" } });
  await reached(env, 2);
  const revisions: number[] = [];
  env.on("changed", ({ revision }) => revisions.push(revision));
  late = true;
  await client.patchConfig({ ...AT, vars: { N: "3" } });
  await client.patchConfig({ ...AT, vars: { N: "4" } });
  await reached(env, 4);
  expect({ given, n: env.var("N"), sorted: revisions.every((revision) => revision > 2) }).toEqual({ given: 1, n: "4", sorted: true });
});

test("an engine that was set back to a backup is believed, and that it was is told", async () => {
  const own = await new Engine({ token: TOKEN }).start();
  const backup = `${own.directory}-backup`;
  try {
    const client = () => createClient({ url: own.url, token: TOKEN });
    const relay = await Relay.to(own.url);
    await client().createEnvironment({ project_id: AT.project, new_environment: AT.env, env_variables: { N: "1" } });
    await own.stop();
    cpSync(own.directory, backup, { recursive: true });
    await own.start();
    relay.lead(own.url);
    await client().patchConfig({ ...AT, vars: { N: "2" } });
    await client().patchConfig({ ...AT, vars: { N: "3" } });
    const env = await connected({ url: relay.url, token: TOKEN, ...AT }).ready();
    expect(env.status.revision).toBe(3);
    await streaming(env);
    await own.stop();
    for (const file of readdirSync(own.directory)) rmSync(join(own.directory, file), { recursive: true });
    cpSync(backup, own.directory, { recursive: true });
    const [told, changed] = [next(env, "error"), next(env, "changed")];
    await own.start();
    relay.lead(own.url);
    expect((await told).code).toBe("history_replaced");
    expect(await changed).toMatchObject({ previous: 3, revision: 1, vars: ["N"] });
    expect(env.var("N")).toBe("1");
  } finally {
    rmSync(backup, { recursive: true, force: true });
    await own.dispose();
  }
});
