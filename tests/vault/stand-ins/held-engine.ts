import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createDomain } from "../../../src/domain.ts";
import { createApp } from "../../../src/http/app.ts";
import { createServer } from "../../../src/http/server.ts";
import { createLogger } from "../../../src/log.ts";
import type { Store } from "../../../src/ports.ts";
import { loadSettings } from "../../../src/settings.ts";
import { openStore } from "../../../src/storage/open.ts";
import { openBuiltinVault } from "../../../src/vault/builtin.ts";
import { projectPartition } from "../../../src/vault/documents.ts";
import { wrapped } from "../../domain/support.ts";

/**
 * A whole engine on an SQLite file, with the built-in vault. While there is a file `hold` beside the database, the vault's writes become
 * durable and are never answered: it says so, and waits to be killed.
 */
const settings = loadSettings();
const logger = createLogger(settings.logLevel);
const store = await openStore(settings.storeUrl);
const hold = join(dirname(settings.storeUrl.replace(/^sqlite:/, "")), "hold");

const held: Store = wrapped(store, {
  commit: async (partition, change) => {
    const result = await store.commit(partition, change);
    const isEntry = partition.startsWith(projectPartition("")) && change.puts.some(({ key }) => key.startsWith("entry/"));
    if (!isEntry || !existsSync(hold)) return result;
    logger.info({ entry: change.puts[0]?.key }, "held");
    return new Promise(() => {});
  },
});
const vault = await openBuiltinVault({ store: held, storeUrl: settings.storeUrl, masterKey: settings.masterKey });
const domain = createDomain({
  store,
  vault,
  previewUrlTemplate: settings.previewUrlTemplate,
  validator: null,
  builder: null,
  clock: { now: () => new Date() },
  failed: (error) => logger.error({ err: error }, "work in the background failed"),
});
const app = createApp({ domain, settings, logger, authentication: null, readiness: async () => ({}) });
domain.sweeper.start();
const url = await createServer(Promise.resolve(app)).listen(settings.port, settings.host);
logger.info({ url }, "listening");
