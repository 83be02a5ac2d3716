import { pino } from "pino";
import { openFamily } from "../../src/family.ts";
import { createApp } from "../../src/http/app.ts";
import { openWorld } from "../domain/support.ts";
import { SETTINGS, serve } from "./support.ts";

/** What an engine says at `/metrics` that has a sibling, a project and an environment, was read and written. */
export async function metricsText(): Promise<string> {
  const world = await openWorld();
  await world.project.create("staging");
  const none = { monitoring: null, deployment: null, builder: null, feedback: null };
  const family = await openFamily({ siblings: { ...none, validation: "http://127.0.0.1:9" }, webhookAllow: [], gitAllow: [] });
  const app = createApp({
    domain: world.domain,
    settings: SETTINGS,
    logger: pino({ level: "silent" }),
    authentication: null,
    readiness: async () => ({}),
    counted: () => family.samples(),
  });
  const { ask } = await serve(app);
  await ask(`/env/${world.project.id}/staging/config`);
  const { text } = await ask("/metrics");
  await family.close();
  return text;
}

/** The names of all samples there. */
export async function exposedNames(): Promise<readonly string[]> {
  const lines = (await metricsText()).split("\n");
  return [...new Set(lines.flatMap((line) => /^([a-z_0-9]+)[{ ]/.exec(line)?.[1] ?? []))];
}
