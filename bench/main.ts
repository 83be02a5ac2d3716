import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { branching } from "./branching.ts";
import { cliStart } from "./cli-start.ts";
import { configWrites } from "./config-writes.ts";
import { diffs } from "./diffs.ts";
import { evaluation } from "./evaluation.ts";
import { instances } from "./instances.ts";
import type { Row } from "./measure.ts";
import { postgres } from "./postgres.ts";
import { reads } from "./reads.ts";
import { redisCommits } from "./redis-commits.ts";
import { sdk } from "./sdk.ts";
import { stateWrites } from "./state-writes.ts";
import { table } from "./table.ts";
import { tenThousand } from "./ten-thousand.ts";
import { watchers } from "./watchers.ts";

/** `npm run bench` measures everything; `npm run bench -- diffs branching` only the groups named. */
const GROUPS: Readonly<Record<string, () => Promise<Row[]>>> = {
  "state-writes": stateWrites,
  diffs,
  branching,
  "config-writes": configWrites,
  reads,
  watchers,
  "cli-start": cliStart,
  sdk,
  "ten-thousand": tenThousand,
  "redis-commits": redisCommits,
  evaluation,
  postgres,
  instances,
};

const RESULTS = fileURLToPath(new URL("results.json", import.meta.url));

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in GROUPS));
if (unknown.length > 0) {
  console.error(`There is no group ${unknown.join(", ")}. There are: ${Object.keys(GROUPS).join(", ")}.`);
  process.exit(2);
}

const started = performance.now();
const rows: Row[] = [];
for (const [name, measure] of Object.entries(GROUPS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const start = performance.now();
  rows.push(...(await measure()));
  console.error(`${name}: ${((performance.now() - start) / 1_000).toFixed(1)} s`);
}
const machine = {
  node: process.version,
  platform: process.platform,
  arch: process.arch,
  cpus: cpus().length,
  cpu: cpus()[0]?.model ?? "unknown",
};
writeFileSync(RESULTS, `${JSON.stringify({ at: new Date().toISOString(), machine, rows }, null, 2)}\n`);
console.log(`${table(rows)}\n`);
console.log(
  `Node ${machine.node} on ${machine.cpus} × ${machine.cpu}, ${((performance.now() - started) / 1_000).toFixed(0)} s in all. Written to bench/results.json.`,
);
