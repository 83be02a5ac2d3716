import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { loadSettings } from "../src/settings.ts";
import { backUp } from "../src/storage/sqlite-backup.ts";
import { keyFilePath } from "../src/vault/master-key.ts";
import { runCommand, say } from "./command.ts";
import { backupArguments, keyText, mustBeSqlite, mustTake, placeKey } from "./key-option.ts";
import { ProgressLine } from "./progress-line.ts";

/** `npm run store:backup -- FILE`: a copy of the SQLite file as of now, while the engine runs. */

const HELP = `Usage: npm run store:backup -- FILE [--key KEYFILE]

Writes a copy of the engine's SQLite file (STORE_URL) to FILE, as of this moment. The engine may go on running, and
writing. FILE must not be there; it is whole, and checked, or it is not there at all.

The secrets in the copy are sealed by the master key, which is not in it. Without that key nobody can read them, not even you:
keep a copy of it too, and not in the same place.

  --key KEYFILE   also copies the key file beside the database to KEYFILE, mode 0600
  --help          this text

Exit codes: 0 done, 1 failed (nothing is left behind), 2 wrong usage or settings.
`;

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) return void process.stdout.write(HELP);
  const { file, key } = backupArguments(args, "where the copy goes");
  const { storeUrl } = loadSettings();
  mustBeSqlite(storeUrl);
  const keyFile = keyFilePath(storeUrl);
  const text = key === null || keyFile === null ? null : await keyText(keyFile);
  const target = key === null || text === null ? null : { path: resolve(key), text };
  if (target !== null) await mustTake(target.path, target.text, "Give --key a file that is not there.");
  const line = new ProgressLine();
  const copying = async () => backUp(storeUrl, file, (done, of) => line.tell(() => `${done} of ${of} pages`));
  const path = await (target === null ? copying() : withKey(target, copying)).finally(() => line.end());
  say(`Written and checked: ${path}`);
  if (target !== null) {
    say(`Its master key: ${target.path}. Keep the two in different places.`);
  } else if (keyFile !== null && existsSync(keyFile)) {
    say(`Its secrets are sealed by the master key in ${keyFile}, which is not in it: keep a copy of that too, elsewhere.`);
  } else {
    say("Its secrets are sealed by ENV_MANAGER_MASTER_KEY, which is not in it: keep that too, elsewhere.");
  }
}

/** The copy of the key comes first: a copy of the database without it would look done. */
async function withKey({ path, text }: { readonly path: string; readonly text: string }, copying: () => Promise<string>): Promise<string> {
  const takeBack = await placeKey(path, text);
  try {
    return await copying();
  } catch (error) {
    await takeBack();
    throw error;
  }
}

await runCommand(main);
