import { existsSync } from "node:fs";
import { loadSettings } from "../src/settings.ts";
import { restore } from "../src/storage/sqlite-backup.ts";
import { keyFilePath, parseMasterKey } from "../src/vault/master-key.ts";
import { runCommand, say } from "./command.ts";
import { backupArguments, keyText, mustBeSqlite, mustTake, placeKey } from "./key-option.ts";

/** `npm run store:restore -- FILE`: makes the engine's SQLite file from a backup, where there is none. */

const HELP = `Usage: npm run store:restore -- FILE [--key KEYFILE]

Makes the engine's SQLite file (STORE_URL) from the backup FILE. Nothing is written over: where there is a database
already, move it away first, with its -wal and -shm. The backup is checked before it is taken, and stays as it is.
Database and key are put there together, or neither is.

  --key KEYFILE   also puts the master key from KEYFILE beside the database (<database>.key, mode 0600), where there is none
  --help          this text

Exit codes: 0 done, 1 failed (nothing was changed), 2 wrong usage or settings.
`;

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) return void process.stdout.write(HELP);
  const { file, key } = backupArguments(args, "the backup");
  const { storeUrl, masterKey } = loadSettings();
  mustBeSqlite(storeUrl);
  const keyFile = keyFilePath(storeUrl) ?? "";
  const text = key === null ? null : await keyText(key);
  if (text !== null && key !== null) {
    parseMasterKey(text, key);
    await mustTake(keyFile, text, "Move it away first, or leave --key out.");
  }
  const path = await restore(file, storeUrl, text === null ? undefined : () => placeKey(keyFile, text));
  say(`Restored and checked: ${path}`);
  if (text !== null) {
    say(`Its master key: ${keyFile}`);
  } else if (!existsSync(keyFile) && masterKey === null) {
    say(`Its secrets need the master key that they were sealed by: put it into ${keyFile} (mode 0600), or set ENV_MANAGER_MASTER_KEY.`);
  }
  say("Run `npm run store:check` to see that everything in it resolves.");
}

await runCommand(main);
