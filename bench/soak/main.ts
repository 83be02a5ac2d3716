import { once } from "node:events";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { type AuthorizedEngine, startAuthorized } from "../authorized.ts";
import { ensureBuilt } from "../built.ts";
import { withFolder } from "../folders.ts";
import { significant } from "../measure.ts";
import { freePort } from "../peers/ready.ts";
import { ENGINE_BUILT, end, here, spawnNode } from "../processes.ts";
import { described, keepResult, machine } from "../results.ts";
import { actAll, LOAD, PROJECTS, SoakClient } from "./actors.ts";
import { Samples } from "./samples.ts";
import { judge, type SoakWindow } from "./windows.ts";

/**
 * `npm run soak -- --minutes 30`: a real engine under mixed load, looked at for so long. Ends with 1 where the last third of the run
 * differs from the first by more than the bounds of `windows.ts`, or where requests failed.
 */

const { values } = parseArgs({ options: { minutes: { type: "string", default: "30" } } });
const minutes = Number(values.minutes);
if (!(minutes > 0 && minutes <= 24 * 60)) {
  console.error("--minutes is a number, at most 1440: for example npm run soak -- --minutes 30");
  process.exit(2);
}
/** Windows of a run, the first of which is not judged. */
const WINDOWS = 13;
/** Caches, all of which have bounds, are full after a few minutes of this load. */
const ENOUGH_MINUTES = 20;
const SAMPLE_MS = 1_000;
/** From a collection to the look at what it left: whatever is asked for meanwhile is garbage that looks like a leak. */
const COLLECTED_MS = 20;
const SIBLING_LIVES_MS = 20_000;
const SIBLING_AWAY_MS = 3_000;

ensureBuilt();
process.exitCode = await withFolder(async (folder) => {
  const port = await freePort();
  const stop = new AbortController();
  const sibling = liveAndDie(port, stop.signal);
  const settings = { LOGS_URL: `http://127.0.0.1:${port}`, NODE_OPTIONS: `--import ${pathToFileURL(here("soak/collect.mjs"))}` };
  const engine = await startAuthorized(folder, settings, existsSync(ENGINE_BUILT) ? ENGINE_BUILT : undefined);
  await prepare(engine);
  const token = await engine.token("admin");
  const client = new SoakClient(engine.url, token);
  const samples = new Samples(engine, client, token);
  console.log(`${minutes} minutes of ${LOAD}. ${described(machine())}.`);
  if (minutes < ENOUGH_MINUTES)
    console.log(`In less than ${ENOUGH_MINUTES} minutes caches are still being filled: that counts as a drift.`);
  const acting = actAll(client, stop.signal);
  const windows: SoakWindow[] = [];
  let failures: readonly string[] = [];
  for (let n = 0; n < WINDOWS; n++) {
    const until = performance.now() + (minutes * 60_000) / WINDOWS;
    while (performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
      await samples.take();
    }
    process.kill(engine.pid, "SIGUSR2");
    await new Promise((resolve) => setTimeout(resolve, COLLECTED_MS));
    await samples.take();
    failures = [...failures, ...client.failures].slice(0, 20);
    windows.push(samples.window());
    print(windows.at(-1) as SoakWindow, n === 0);
  }
  stop.abort();
  await acting;
  await sibling;
  client.close();
  await engine.stop();
  const verdicts = judge(windows);
  keepResult("soak", "soak", minutes * 60, { minutes, load: LOAD, windows, verdicts });
  console.log("");
  for (const { what, first, last, bound, within } of verdicts) {
    console.log(
      `${what.padEnd(28)} first third ${first.padStart(9)}, last third ${last.padStart(9)}, bound ${bound}${within ? "" : "  DRIFTS"}`,
    );
  }
  for (const failure of failures) console.log(failure);
  const drifts = verdicts.filter(({ within }) => !within).length;
  console.log(
    `${drifts === 0 ? "Nothing drifts" : `${drifts} drift`}; ${windows.reduce((sum, one) => sum + one.failures, 0)} requests failed.`,
  );
  return drifts > 0 || failures.length > 0 ? 1 : 0;
});

/** Projects with a `dev` and a `staging`, flags and components. */
async function prepare({ send }: AuthorizedEngine): Promise<void> {
  for (let n = 0; n < PROJECTS; n++) {
    const project_id = `project-${n}`;
    const numbered = <Value>(count: number, prefix: string, value: (i: number) => Value) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, value(i)]));
    await send("POST", "/env/create", { project_id, new_environment: "dev", env_variables: numbered(20, "VAR_", () => "first") });
    await send("PATCH", `/env/${project_id}/dev/config`, { flags: numbered(20, "flag-", (i) => i % 2 === 0) });
    await send("PATCH", `/env/${project_id}/dev/state`, { set: numbered(50, "flows/flow-", () => ({ edition: 0 })) });
    await send("POST", "/env/create", { project_id, new_environment: "staging", base_from: "dev" });
  }
}

/** A sibling that is killed, is away for a moment, and comes back at the same address. */
async function liveAndDie(port: number, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const child = spawnNode([here("soak/stand-in.mjs"), String(port)], process.env);
    if (child.stdout !== null) await once(child.stdout, "data");
    await sleep(SIBLING_LIVES_MS, stop);
    await end(child, "SIGKILL");
    await sleep(SIBLING_AWAY_MS, stop);
  }
}

function sleep(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    stop.addEventListener("abort", done);
    if (stop.aborted) done();
  });
}

function print(window: SoakWindow, isFirst: boolean): void {
  const names = [
    "minute",
    "requests",
    "failures",
    "p50",
    "p99",
    "loopDelayP99",
    "rssMb",
    "heapMb",
    "externalMb",
    "files",
    "handles",
  ] as const;
  if (isFirst) console.log(names.map((name) => name.padStart(12)).join(" "));
  console.log(names.map((name) => significant(window[name]).padStart(12)).join(" "));
}
