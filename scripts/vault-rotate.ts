import { AppError } from "../src/errors.ts";
import type { Store } from "../src/ports.ts";
import { loadSettings, type Settings } from "../src/settings.ts";
import { openStore } from "../src/storage/open.ts";
import type { Rotation } from "../src/vault/documents.ts";
import { readKeycheck } from "../src/vault/keycheck.ts";
import {
  createKeyFile,
  keyFilePath,
  loadMasterKey,
  parseMasterKey,
  readKeyFile,
  removeKeyFile,
  replaceKeyFile,
} from "../src/vault/master-key.ts";
import { abandonRotation, type RotationOptions, readRotation, rotateMasterKey } from "../src/vault/rotation.ts";
import type { MasterKey } from "../src/vault/sealing.ts";
import { mustExist, runCommand, say, UsageError } from "./command.ts";

/** `npm run vault:rotate`: changes the built-in vault's master key. Killed at any moment, it goes on when run again. */

const HELP = `Usage: npm run vault:rotate [-- --abandon]

Changes the master key of the built-in vault. The secrets themselves stay as they are: only the keys of the
projects are wrapped anew. If it is interrupted, run it again; until then the engine starts and reads everything.

Stop the engine first. An SQLite file has one user at a time; on a shared store, engines that still have the
old key refuse secrets after the switch, until they are restarted with the new one.

  the old key   ENV_MANAGER_MASTER_KEY or, where that is not set, the key file beside the SQLite database
  the new key   ENV_MANAGER_NEW_MASTER_KEY (in the environment of this command, not in .env). With a key file it
                may be left out: a new key is then made. In both cases the key file is replaced: copy it first.

  --abandon     take back an unfinished rotation whose new key is lost
  --help        this text

Keep the old key as long as you keep backups of the store from before the rotation: they need it.

Exit codes: 0 done, 1 failed (nothing is lost; the message says what to do), 2 wrong usage or settings.
`;

const NEW_KEY = "ENV_MANAGER_NEW_MASTER_KEY";
/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 1_000;
const PROGRESS = { wrapping: "wrapping with the new key", both: "checking", pruning: "removing the old key's wrapping" } as const;

/** What a run works with: the keys that it found, and the key files, where the master key lies in one. */
interface Situation {
  readonly store: Store;
  readonly current: MasterKey;
  readonly rotation: Rotation | null;
  readonly newText: string | null;
  readonly files: { readonly current: string; readonly next: string } | null;
}

type Keys = Pick<RotationOptions, "oldKey" | "newKey" | "beforeSwitch">;

async function main(args: readonly string[]): Promise<void> {
  const unknown = args.find((arg) => arg !== "--abandon" && arg !== "--help" && arg !== "-h");
  if (unknown !== undefined) throw new UsageError(`"${unknown}" is not an option.`, "`npm run vault:rotate -- --help` lists them.");
  if (args.includes("--help") || args.includes("-h")) return void process.stdout.write(HELP);

  const settings = loadSettings();
  mustExist(settings.storeUrl);
  const store = await openStore(settings.storeUrl);
  try {
    const situation = await look(store, settings);
    await (args.includes("--abandon") ? abandon(situation) : rotate(situation));
  } finally {
    await store.close();
  }
}

async function look(store: Store, { storeUrl, masterKey }: Settings): Promise<Situation> {
  const { value: keycheck } = await readKeycheck(store);
  if (keycheck === null) {
    throw new AppError("vault_unavailable", {
      reason: `The store ${shown(storeUrl)} holds no vault yet, so there is nothing to rotate.`,
      fix: "Check STORE_URL. The vault is made when the engine first starts on a store.",
    });
  }
  const path = masterKey === null ? keyFilePath(storeUrl) : null;
  return {
    store,
    current: (await loadMasterKey(storeUrl, masterKey, true)).key,
    rotation: await readRotation(store),
    newText: process.env[NEW_KEY]?.trim() || null,
    files: path === null ? null : { current: path, next: `${path}.new` },
  };
}

async function rotate(situation: Situation): Promise<void> {
  const { store, current, rotation, files } = situation;
  // Killed after the key was exchanged: what is now the current key is where that rotation leads.
  const onlyFinish = rotation?.to === current.id;
  const keys = onlyFinish ? { oldKey: null, newKey: current } : await chooseKeys(situation);
  say(rotation === null ? "Rotating the master key." : "Going on with the rotation that was interrupted.");
  const { projects } = await rotateMasterKey({ store, ...keys, onProgress: progress() });
  say(`Done: the secrets of ${projects} ${projects === 1 ? "project" : "projects"} open with the new key alone.`);
  if (files !== null) say(`The new key is in ${files.current}. Start the engine as before, and back that file up.`);
  else if (onlyFinish) say("ENV_MANAGER_MASTER_KEY holds the new key already. Start the engine as before.");
  else say(`Set ENV_MANAGER_MASTER_KEY to the key that ${NEW_KEY} holds, and start the engine.`);
  if (onlyFinish && situation.newText !== null) say(`${NEW_KEY} was not used. To rotate once more, run this again.`);
  if (!onlyFinish) say("Backups of the store from before this rotation still need the old key.");
}

async function chooseKeys({ current, rotation, newText, files }: Situation): Promise<Keys> {
  if (files === null) {
    if (newText !== null) return { oldKey: current, newKey: parseMasterKey(newText, NEW_KEY) };
    throw new UsageError(
      `${NEW_KEY} is not set, and the master key comes from ENV_MANAGER_MASTER_KEY, so you must give the new one.`,
      `Make one, keep it safe, and run: ${NEW_KEY}="$(openssl rand -base64 32)" npm run vault:rotate. Note it first: it is shown nowhere.`,
    );
  }
  const given = newText === null ? null : parseMasterKey(newText, NEW_KEY);
  let next = await readKeyFile(files.next);
  if (next !== null && given !== null && given.id !== next.id && rotation === null) {
    await removeKeyFile(files.next);
    next = null;
  }
  if (next === null && rotation !== null && given?.id !== rotation.to) {
    throw new AppError("vault_unavailable", {
      reason: `A rotation was interrupted, and the file with its new key, ${files.next}, is gone.`,
      fix: "Put the file back, or take the rotation back: npm run vault:rotate -- --abandon",
    });
  }
  // On disk before the store hears of it: a key that opens something must never be in memory alone.
  const newKey = next ?? (await createKeyFile(files.next, newText ?? undefined));
  return { oldKey: current, newKey, beforeSwitch: () => replaceKeyFile(files.next, files.current) };
}

async function abandon({ store, current, files }: Situation): Promise<void> {
  await abandonRotation(store, current);
  if (files !== null) await removeKeyFile(files.next);
  say("The rotation is taken back: the old master key stays. Start the engine as before.");
}

/** Prints the first project of each phase, then one line a second. */
function progress(): NonNullable<RotationOptions["onProgress"]> {
  let last: { readonly phase: Rotation["phase"]; readonly at: number } | null = null;
  return (phase, projects) => {
    const at = Date.now();
    if (last?.phase === phase && at - last.at < PROGRESS_MS) return;
    last = { phase, at };
    say(`  ${PROGRESS[phase]}: ${projects}`);
  };
}

/** Without a password that may be part of it. */
function shown(storeUrl: string): string {
  return storeUrl.replace(/\/\/[^@/]*@/, "//");
}

await runCommand(main);
