import { loadSettings } from "../src/settings.ts";
import { isExclusive, openStore } from "../src/storage/open.ts";
import { runCommand, say, UsageError } from "./command.ts";

/** `npm run store:deltas`: after an upgrade of all engines that share a store, lets them store objects as deltas. */

const HELP = `Usage: npm run store:deltas

Lets the engines that share a store (PostgreSQL, Redis) keep each version of a platform as what changed since another one, which takes
a tenth of the room. A store that this engine made does so already, and so does every SQLite file.

Run it once, after the last engine from before was upgraded or stopped: an engine from before can not read what is written from then on,
and is refused. Engines that run go on, and write deltas from their next start on. There is no way back but a copy (store:copy) or a backup.

  --help        this text

Exit codes: 0 done, 1 the store cannot be reached or used, 2 wrong usage or settings.
`;

async function main(args: readonly string[]): Promise<void> {
  const unknown = args.find((arg) => arg !== "--help" && arg !== "-h");
  if (unknown !== undefined) throw new UsageError(`"${unknown}" is not an option.`, "`npm run store:deltas -- --help` lists them.");
  if (args.length > 0) return void process.stdout.write(HELP);
  const { storeUrl } = loadSettings();
  if (isExclusive(storeUrl)) {
    throw new UsageError(
      "STORE_URL is a store of one engine alone, which needs no such step.",
      "Set STORE_URL to the PostgreSQL database or the Redis server that engines share.",
    );
  }
  await (await openStore(storeUrl, { existing: true, deltas: true, onNotice: say })).close();
  say("Objects are stored as deltas by every engine that starts from now on. Restart those that run, one after another.");
}

await runCommand(main);
