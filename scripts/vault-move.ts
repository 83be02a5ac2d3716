import { Sibling } from "../src/engines/sibling.ts";
import type { Store } from "../src/ports.ts";
import { loadSettings, SettingsError } from "../src/settings.ts";
import { openStore } from "../src/storage/open.ts";
import { carryKey } from "../src/vault/fingerprints.ts";
import { checkHome, findHome, moveHome } from "../src/vault/home.ts";
import { type OpenVault, reachVault, type VaultSettings } from "../src/vault/open.ts";
import { type MoveOptions, type MovePhase, moveSecrets } from "../src/vault-move.ts";
import { mustExist, runCommand, say, UsageError } from "./command.ts";

/** `npm run vault:move`: moves a store's secrets to another vault. Killed at any moment, it goes on when run again. */

const HELP = `Usage: npm run vault:move -- --to builtin|puraify|kv2 [--remove] [--skip-missing]

Copies every secret that anything in the store refers to (what runs, every revision that a rollback may ask for,
promotions that wait) from the vault of the engine's settings to another one, and reads each back. Nothing else
changes: references name a secret's entry, and not the vault that it is in. If it is interrupted, run it again;
until it says that it is done, start the engine with the old settings or not at all. Killed while it was
"comparing", it must be run to its end, or back: until then secrets that are the same may be told to differ.

Stop the engine first: all of them, on a shared store.

  the old vault   the engine's settings: VAULT_KIND, VAULT_URL, VAULT_TOKEN and so on
  the new vault   the same names with NEW_ before them, in the environment of this command: NEW_VAULT_URL,
                  NEW_VAULT_TOKEN, NEW_VAULT_ROLE_ID, NEW_VAULT_SECRET_ID, NEW_VAULT_NAMESPACE, NEW_VAULT_MOUNT,
                  NEW_VAULT_PREFIX. builtin needs none; its master key is that of the engine's settings.

  --to            the kind of the new vault; it may be the old one's, elsewhere
  --remove        take the secrets away from the old vault, once the new one has them
  --skip-missing  go on although the old vault lacks some: they stay unavailable, as they are now
  --help          this text

Exit codes: 0 done, 1 failed (nothing is lost; the message says what to do), 2 wrong usage or settings.
`;

const KINDS: readonly string[] = ["builtin", "puraify", "kv2"];
const NAMES = ["URL", "TOKEN", "ROLE_ID", "SECRET_ID", "NAMESPACE", "MOUNT", "PREFIX"].map((name) => `VAULT_${name}`);
/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 1_000;
const PROGRESS: Readonly<Record<MovePhase, string>> = {
  sweeping: "taking away what was left unfinished",
  copying: "copied and read back",
  comparing: "made comparable in the new vault",
  removing: "removed from the old vault",
};
/** Names of missing secrets that are shown. */
const MISSING_SHOWN = 20;

interface Wish {
  readonly to: string;
  readonly remove: boolean;
  readonly skipMissing: boolean;
}

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) return void process.stdout.write(HELP);
  const wish = readArguments(args);
  const { storeUrl, masterKey, vault: old } = loadSettings();
  const target = newVault(wish.to);
  mustExist(storeUrl);
  const store = await openStore(storeUrl);
  const opened: OpenVault[] = [];
  try {
    // Another run may have come to the end.
    if ((await findHome(store)) !== target.kind) await checkHome(store, old.kind);
    const parts = { store, storeUrl, masterKey, connect: (name: string, url: string) => new Sibling(name, url) };
    for (const settings of [old, target]) opened.push(await reachVault(settings, parts));
    const [from, to] = opened;
    if (from !== undefined && to !== undefined) await move(store, from, to, wish);
  } finally {
    await Promise.all(opened.map((vault) => vault.close()));
    await store.close();
  }
}

async function move(store: Store, from: OpenVault, to: OpenVault, wish: Wish): Promise<void> {
  say(`Moving the secrets from the ${from.kind} vault to the ${to.kind} vault.`);
  const { projects, entries, missing } = await moveSecrets({
    ...{ store, from, to, remove: wish.remove, skipMissing: wish.skipMissing, onProgress: progress() },
    prepare: () => carryKey(store, from.entries, to.entries),
    moved: () => moveHome(store, to.kind),
  });
  for (const name of missing.slice(0, MISSING_SHOWN)) say(`MISSING ${name}`);
  if (missing.length > MISSING_SHOWN) say(`MISSING ${missing.length - MISSING_SHOWN} more`);
  if (missing.length > 0 && !wish.skipMissing) {
    say("These secrets are not in the old vault. Check its settings; if they are right, run this again with --skip-missing.");
    process.exitCode = 1;
    return;
  }
  say(`Done: ${amount(entries, "secret")} of ${amount(projects, "project")} ${entries === 1 ? "is" : "are"} in the ${to.kind} vault.`);
  tellSettings(to.kind);
  if (!wish.remove) say("The old vault has its copies still. Run this again with --remove to take them away.");
}

function tellSettings(kind: string): void {
  if (kind === "builtin") {
    say(`Start the engine without ${["VAULT_KIND", ...NAMES].join(", ")}.`);
    return;
  }
  say(`Start the engine with VAULT_KIND=${kind} and`);
  for (const name of NAMES) if (fromEnvironment(`NEW_${name}`) !== null) say(`  ${name} set to what NEW_${name} holds`);
  say("  and without the others of VAULT_….");
}

function readArguments(args: readonly string[]): Wish {
  const at = args.indexOf("--to");
  const to = args[at + 1] ?? "";
  if (at < 0 || !KINDS.includes(to)) {
    throw new UsageError(
      "--to must name the kind of the new vault: builtin, puraify or kv2.",
      "`npm run vault:move -- --help` tells more.",
    );
  }
  const rest = args.filter((_, index) => index !== at && index !== at + 1);
  const unknown = rest.find((arg) => arg !== "--remove" && arg !== "--skip-missing");
  if (unknown !== undefined) throw new UsageError(`"${unknown}" is not an option.`, "`npm run vault:move -- --help` lists them.");
  return { to, remove: rest.includes("--remove"), skipMissing: rest.includes("--skip-missing") };
}

/** Read as the engine's own are, with what has `NEW_` before its name. */
function newVault(kind: string): VaultSettings {
  const wanted = Object.fromEntries(NAMES.map((name) => [name, fromEnvironment(`NEW_${name}`) ?? ""]));
  try {
    return loadSettings({ ...process.env, ...wanted, VAULT_KIND: kind }).vault;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new UsageError(
      `Of the new vault: ${error.message}`,
      "Set what is meant with NEW_ before its name: `npm run vault:move -- --help` lists them.",
    );
  }
}

function fromEnvironment(name: string): string | null {
  return process.env[name]?.trim() || null;
}

/** Prints the first step of each phase, then one line a second. */
function progress(): NonNullable<MoveOptions["onProgress"]> {
  let last: { readonly phase: MovePhase; readonly at: number } | null = null;
  return (phase, entries) => {
    const at = Date.now();
    if (entries === 0 || (last?.phase === phase && at - last.at < PROGRESS_MS)) return;
    last = { phase, at };
    say(`  ${PROGRESS[phase]}: ${entries}`);
  };
}

function amount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

await runCommand(main);
