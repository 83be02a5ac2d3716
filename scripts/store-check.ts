import { realpathSync } from "node:fs";
import { checkStore, type IntegrityCounts } from "../src/integrity.ts";
import { LIMITS } from "../src/limits.ts";
import { loadSettings } from "../src/settings.ts";
import { openForReading } from "../src/storage/open.ts";
import { sqlitePath } from "../src/storage/sqlite-file.ts";
import { lockFile } from "../src/storage/sqlite-lock.ts";
import { mustExist, runCommand, say, UsageError } from "./command.ts";

/** `npm run store:check`: proves that everything in the store still resolves. Changes nothing. */

const HELP = `Usage: npm run store:check

Reads the whole store and proves that every environment, every revision and every version in it still resolves:
that nothing they refer to is missing, damaged or somebody else's, and that the audit logs verify. Changes nothing.
It looks at what is known of secrets, not into the vault: no key is needed.

Stop the engine first where the store is an SQLite file: that has one user at a time. On a shared store, what engines
write meanwhile may look like a fault; run it again to be sure.

  --help        this text

Exit codes: 0 everything resolves, 1 it does not or the store cannot be read, 2 wrong usage or settings.
`;

/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 1_000;

async function main(args: readonly string[]): Promise<void> {
  const unknown = args.find((arg) => arg !== "--help" && arg !== "-h");
  if (unknown !== undefined) throw new UsageError(`"${unknown}" is not an option.`, "`npm run store:check -- --help` lists them.");
  if (args.length > 0) return void process.stdout.write(HELP);

  const { storeUrl } = loadSettings();
  mustExist(storeUrl);
  // It is asked of nobody's file while it is written to, and brings none up to date.
  const lock = storeUrl.startsWith("sqlite:") ? await lockFile(realpathSync(sqlitePath(storeUrl)), LIMITS.storeLockMs) : null;
  const store = await openForReading(storeUrl).catch((error: unknown) => {
    lock?.release();
    throw error;
  });
  try {
    const total = await checkStore(store, {
      onFault: faults(),
      onProgress: progress(),
      onProject: (project, counts) => say(`${project}: ${told(counts)}`),
    });
    const projects = amount(total.projects, "project");
    if (total.faults === 0) {
      say(total.projects === 0 ? "The store holds no project." : `Everything in ${projects} resolves.`);
    } else {
      say(
        `${amount(total.faults, "fault")} in ${projects}. Restore the store from a backup, or ask for help before anything is written to it.`,
      );
      process.exitCode = 1;
    }
  } finally {
    await store.close();
    lock?.release();
  }
}

/** Prints the first LIMITS.integrityFaults faults; all are counted. */
function faults(): (project: string, what: string) => void {
  let told = 0;
  return (project, what) => {
    told++;
    if (told <= LIMITS.integrityFaults) say(`FAULT ${project}: ${what}`);
    if (told === LIMITS.integrityFaults) say("FAULT further ones are counted, and not shown");
  };
}

/** At most one line a second. */
function progress(): (project: string, counts: Readonly<IntegrityCounts>) => void {
  let last = Date.now();
  return (project, counts) => {
    if (Date.now() - last < PROGRESS_MS) return;
    last = Date.now();
    say(`  ${project}: ${told(counts)} so far`);
  };
}

function told({ environments, revisions, versions, objects, faults }: Readonly<IntegrityCounts>): string {
  const parts = [
    amount(environments, "environment"),
    amount(revisions, "revision"),
    amount(versions, "version"),
    amount(objects, "object"),
  ];
  return `${parts.join(", ")}; ${faults === 0 ? "no fault" : amount(faults, "fault")}`;
}

function amount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

await runCommand(main);
