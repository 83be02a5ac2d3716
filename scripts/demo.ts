import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Client } from "./demo/client.ts";
import { DemoEngine } from "./demo/demo-engine.ts";
import { Family } from "./demo/family/member.ts";
import { tellFamily } from "./demo/family/story.ts";
import { readInputs } from "./demo/inputs.ts";
import { Narration, wantsColour } from "./demo/narration.ts";
import { countComponents, requiredKeys } from "./demo/platform.ts";
import { tellStory } from "./demo/story.ts";
import { PROJECT } from "./demo/telling.ts";

/** `npm run demo`: the whole loop on a real engine, from an empty database to a verified audit log. Then it keeps serving. */

const USAGE = `Usage: npm run demo -- [--family | --platform FILE] [--port PORT] [--once]

  --platform FILE  a platform state to show it with, .json or .json.gz; the project's own example otherwise
  --family         with six sibling engines to play with: what each does for the engine, and what becomes of it without them
  --port PORT      where the engine listens; 4006 otherwise, any free one where that is taken
  --once           end after the loop instead of serving on`;
const DEFAULT_PORT = 4006;
const HOST = "127.0.0.1";

interface Options {
  readonly platform: string | undefined;
  readonly port: number;
  readonly once: boolean;
  readonly family: boolean;
}

/** What ends the program early without being its fault. */
class Interrupted extends Error {
  override readonly name = "Interrupted";
}

async function main(options: Options): Promise<void> {
  const narration = new Narration((line) => process.stdout.write(`${line}\n`), wantsColour(process.stdout, process.env));
  const inputs = readInputs(options.platform);
  const folder = mkdtempSync(join(tmpdir(), "env-manager-demo-"));
  const signal = nextSignal();
  const rootToken = randomBytes(32).toString("base64url");
  const family = options.family ? new Family(folder) : null;
  let engine: DemoEngine | null = null;
  try {
    if (family !== null) await Promise.race([family.start(), signal.then(interrupt)]);
    engine = new DemoEngine(await freePort(options.port), folder, rootToken, family?.settings());
    const url = await Promise.race([engine.start(), signal.then(interrupt)]);
    narration.heading(`Environment Manager: ${family === null ? "the whole loop, over HTTP" : "one engine of a family"}`);
    narration.remark(`engine:   ${url}, on a fresh database in ${folder}`);
    narration.remark(
      `platform: ${inputs.source}: ${countComponents(inputs.state)} components, ${requiredKeys(inputs.state).length} keys required`,
    );
    for (const member of family?.all ?? []) narration.remark(`sibling:  ${member.url}, ${member.name}`);
    const root = new Client(url, narration, { name: "root", token: rootToken });
    const story = family === null ? tellStory(root, narration, inputs) : tellFamily(root, narration, family, inputs);
    await Promise.race([story, signal.then(interrupt), engine.failed]);
    narration.remark();
    if (options.once) return;
    narration.heading(`The engine keeps serving at ${url}`);
    narration.remark(`Look around in a browser: open ${url}/ and log in with the root token of this run:`);
    narration.remark(`  ${rootToken}`);
    narration.remark(`From a program: ${url}/docs has every route, for example`);
    narration.remark(`  curl -H "Authorization: Bearer ${rootToken}" ${url}/env/${PROJECT}/production/active`);
    narration.remark("Ctrl-C ends it and removes the database.");
    await Promise.race([signal, engine.failed]);
  } finally {
    await engine?.close();
    await family?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The port wanted; 0, for any free one, where it is taken. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(0));
    probe.listen(wanted, HOST, () => probe.close(() => resolve(wanted)));
  });
}

/** Resolves at the first signal that asks the program to end. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => resolve(name));
  });
}

function interrupt(name: NodeJS.Signals): never {
  throw new Interrupted(name);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      platform: { type: "string" },
      port: { type: "string" },
      once: { type: "boolean", default: false },
      family: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  }
  if (values.family && values.platform !== undefined) throw new Error("--family has a platform of its own: leave --platform out.");
  const port = values.port === undefined ? DEFAULT_PORT : Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`--port is "${values.port}". It must be a whole number from 0 to 65535.`);
  return { platform: values.platform, port, once: values.once, family: values.family };
}

function fail(error: unknown): void {
  if (error instanceof Interrupted) {
    process.exitCode = 130;
    return;
  }
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`\nThe demo failed. ${message}\n`);
  process.exitCode = 1;
}

try {
  await main(readOptions());
} catch (error) {
  fail(error);
}
// A signal handler alone keeps no process alive, but a socket that fetch keeps open would.
process.exit();
