import { AuditSigning } from "../src/audit-signing.ts";
import { Sibling } from "../src/engines/sibling.ts";
import { Ledger } from "../src/ledger.ts";
import { loadSettings } from "../src/settings.ts";
import { openStore } from "../src/storage/open.ts";
import { openVault } from "../src/vault/open.ts";
import { mustExist, runCommand, say, UsageError } from "./command.ts";

/** `npm run audit:rotate`: another key for exports of audit logs. */

const HELP = `Usage: npm run audit:rotate

Makes another key that exports of audit logs are signed with, in the vault of the engine's settings, and takes the
private half of the one before out of it. Its public half stays in GET /.well-known/jwks.json for good, so that
whatever it signed can be verified. Do so when somebody may have seen the key, or as often as your rules say.

On an SQLite file, stop the engine first; on a shared store the engines take the new key by themselves.

Exit codes: 0 done, 1 failed (the key before goes on signing), 2 wrong usage or settings.
`;

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) return void process.stdout.write(HELP);
  if (args.length > 0) throw new UsageError(`"${args[0]}" is not an option.`, "`npm run audit:rotate -- --help` tells more.");
  const { storeUrl, masterKey, vault: settings } = loadSettings();
  mustExist(storeUrl);
  const store = await openStore(storeUrl);
  try {
    const vault = await openVault(settings, { store, storeUrl, masterKey, connect: (name, url) => new Sibling(name, url) });
    try {
      const { kid } = await new AuditSigning(store, new Ledger(store), vault).rotate();
      say(`Done: exports are signed with the key ${kid} from now on.`);
    } finally {
      await vault.close();
    }
  } finally {
    await store.close();
  }
}

await runCommand(main);
