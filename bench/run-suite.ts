import { type ChildProcess, spawn } from "node:child_process";
import { failedRow, type Row } from "./measure.ts";
import { here } from "./processes.ts";
import { described, keepResult, machine } from "./results.ts";
import { SUITES, type SuiteName } from "./suites.ts";
import { table } from "./table.ts";

/** How long a group that is ended has to stop what it started. */
const GRACE_MS = 5_000;
const STOPPED = ["SIGINT", "SIGTERM"] as const;

/**
 * Measures the groups named, or all of them, each in a process of its own, and keeps each one's rows as soon as it has them. A group that
 * breaks or takes too long is a row that says so. Answers the exit code: 1 where a row could not be measured, and not where one misses its goal.
 */
export async function runSuite(suite: SuiteName, asked: readonly string[]): Promise<number> {
  const groups = SUITES[suite];
  const unknown = asked.filter((name) => !(name in groups));
  if (unknown.length > 0) {
    console.error(`There is no group ${unknown.join(", ")}. There are: ${Object.keys(groups).join(", ")}.`);
    return 2;
  }
  const chosen = Object.entries(groups).filter(([name]) => asked.length === 0 || asked.includes(name));
  const started = performance.now();
  const rows: Row[] = [];
  for (const [n, [name, { seconds }]] of chosen.entries()) {
    console.error(`${n + 1} of ${chosen.length}: ${name} …`);
    const start = performance.now();
    const measured = await runGroup(suite, name, seconds);
    const took = (performance.now() - start) / 1_000;
    rows.push(...measured);
    keepResult(suite, name, took, measured);
    const failed = measured.filter((row) => row.figure === "failed").length;
    console.error(`${name}: ${measured.length} rows in ${took.toFixed(1)} s${failed > 0 ? `, ${failed} failed` : ""}`);
  }
  const missed = rows.filter((row) => row.met === false && row.figure !== "failed").length;
  const failed = rows.filter((row) => row.figure === "failed").length;
  console.log(`${table(rows)}\n`);
  console.log(`${rows.length} rows, of which ${missed} miss their goal and ${failed} failed. ${described(machine())}.`);
  console.log(
    `${((performance.now() - started) / 1_000).toFixed(0)} s in all. Kept in bench/results.json; \`npm run bench:docs\` writes the documents.`,
  );
  return failed > 0 ? 1 : 0;
}

function runGroup(suite: SuiteName, name: string, seconds: number): Promise<readonly Row[]> {
  return new Promise((resolve) => {
    // A group of processes of its own: where it has to be ended, what it started ends with it.
    const child = spawn(process.execPath, ["--import", "tsx", here("one-group.ts"), suite, name], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      detached: true,
    });
    let rows: readonly Row[] | null = null;
    let late = false;
    child.on("message", (message) => {
      rows = message as readonly Row[];
    });
    const timer = setTimeout(() => {
      late = true;
      end(child);
    }, seconds * 1_000);
    const abort = () => {
      signalGroup(child, "SIGTERM");
      process.exit(130);
    };
    for (const signal of STOPPED) process.once(signal, abort);
    child.once("close", (code, ended) => {
      clearTimeout(timer);
      for (const signal of STOPPED) process.removeListener(signal, abort);
      signalGroup(child, "SIGKILL");
      const why = late ? `it took longer than ${seconds} s` : `its process ended (${ended ?? `code ${code}`})`;
      resolve(rows ?? [failedRow(name, name, why)]);
    });
  });
}

function end(child: ChildProcess): void {
  signalGroup(child, "SIGTERM");
  setTimeout(() => signalGroup(child, "SIGKILL"), GRACE_MS).unref();
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // Nobody of the group is left.
  }
}
