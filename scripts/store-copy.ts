import { loadSettings } from "../src/settings.ts";
import { openForReading, openStore } from "../src/storage/open.ts";
import { sqlitePath } from "../src/storage/sqlite-file.ts";
import { type CopyProgress, type CopyResult, copyStore } from "../src/store-copy.ts";
import { keyFilePath } from "../src/vault/master-key.ts";
import { runCommand, say, UsageError } from "./command.ts";
import { partitionsOf } from "./partitions.ts";
import { ProgressLine } from "./progress-line.ts";

/** `npm run store:copy -- FROM TO`: moves everything to another store. Killed at any moment, it goes on when run again. */

const HELP = `Usage: npm run store:copy -- FROM TO

Copies everything that one store holds to another, empty one: projects with their whole history, audit logs,
policies, tokens, and what the built-in vault keeps. FROM and TO are written as STORE_URL is; a URL that holds a
password is better given as env:NAME, the name of an environment variable that holds it.

Engines may write to FROM meanwhile. Parts that changed are looked at again, until nothing has changed: then the
copy is exactly what FROM held at one moment, and is verified, every object, revision and audit log of it. It says so, or
that FROM was written to all the time. To move for good: run it while the engines run, which takes as long as it takes;
stop them; run it again, which copies what came since; start them with STORE_URL=TO and the same master key.

Interrupted at any moment, it goes on where it was when it is run again. Until the copy is exact, engines do not start
on TO. Once one has started there, nothing is copied to it any more.

  --help        this text

Exit codes: 0 exact and verified, 1 failed, or FROM was written to all the time, 2 wrong usage or settings.
`;

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) return void process.stdout.write(HELP);
  const [from, to, more] = args;
  if (from === undefined || to === undefined || more !== undefined || from.startsWith("-")) {
    throw new UsageError(
      "Two stores are needed: FROM and TO.",
      "For example: npm run store:copy -- sqlite:./data/env.db env:NEW_STORE_URL",
    );
  }
  const [fromUrl, toUrl] = [storeUrl(from), storeUrl(to)];
  if (shownUrl(fromUrl) === shownUrl(toUrl)) throw new UsageError("FROM and TO are the same store.", "Name two stores.");
  const source = await openForReading(fromUrl);
  try {
    const target = await openStore(toUrl, { strict: loadSettings().storeStrict, onNotice: say });
    try {
      await copy(fromUrl, toUrl, (onProgress) =>
        copyStore({ source, target, name: shownUrl(fromUrl), partitions: partitionsOf, onProgress }),
      );
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function copy(from: string, to: string, run: (onProgress: (progress: CopyProgress) => void) => Promise<CopyResult>): Promise<void> {
  say(`Copying ${shownUrl(from)} to ${shownUrl(to)}.`);
  const line = new ProgressLine();
  const { exact, rounds, partitions, counts, restless } = await run((progress) => line.tell(() => told(progress))).finally(() =>
    line.end(),
  );
  const removed = counts.removed === 0 ? "" : `, ${amount(counts.removed, "thing")} removed that the source has no more`;
  say(`Written: ${amount(counts.documents, "document")} and ${amount(counts.objects, "object")}, ${megabytes(counts.bytes)}${removed}.`);
  if (!exact) {
    say(`The source was written to all the time, last in ${restless.slice(0, 5).join(", ") || "one of its parts"}: the copy is not exact.`);
    say("Stop the engines that write to it, or wait for a quieter time, and run this again: it copies what came since.");
    process.exitCode = 1;
    return;
  }
  say(`Exact and verified: ${amount(partitions, "partition")} as the source held them at one moment, found in round ${rounds}.`);
  say("What is written to the source from now on is not in it: stop its engines, run this again, and start them with");
  say(`STORE_URL=${shownUrl(to)}${shownUrl(to).length === to.length || to.startsWith("sqlite:") ? "" : " (with its user and password)"}`);
  tellKey(from, to);
}

/** The vault's documents came along, sealed by the master key; the key itself did not. */
function tellKey(from: string, to: string): void {
  const [old, next] = [keyFilePath(from), keyFilePath(to)];
  if (old === null) say("and the same ENV_MANAGER_MASTER_KEY, which was not copied.");
  else if (next === null) say(`and the same master key: ENV_MANAGER_MASTER_KEY, or what ${old} holds. It was not copied.`);
  else say(`and the same master key: ENV_MANAGER_MASTER_KEY, or copy ${old} to ${next} (mode 0600). It was not copied.`);
}

function storeUrl(given: string): string {
  if (given.startsWith("memory:")) throw new UsageError("memory: keeps nothing that could be copied.", "Name a store that lasts.");
  if (!given.startsWith("env:")) return given;
  const name = given.slice("env:".length);
  const url = process.env[name]?.trim();
  if (url) return url;
  throw new UsageError(`The environment variable ${name} is not set.`, `Set ${name} to the store's URL, or give the URL itself.`);
}

/** The URL without user and password; of a file, its whole path. */
function shownUrl(url: string): string {
  return url.startsWith("sqlite:") ? `sqlite:${sqlitePath(url)}` : url.replace(/^([a-z+]+:\/\/)[^/?#]*@/, "$1");
}

function told({ phase, round, partition, done, partitions, counts }: CopyProgress): string {
  const where = `${done + 1 > partitions ? partitions : done + 1} of ${partitions}: ${partition}`;
  if (phase === "verifying") return `verifying ${where}`;
  return `round ${round}, ${where}; ${amount(counts.documents, "document")}, ${amount(counts.objects, "object")}, ${megabytes(counts.bytes)} written`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function amount(count: number, what: string): string {
  return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
}

await runCommand(main);
