import { createDomain } from "../../../src/domain.ts";
import { AllowList } from "../../../src/engines/address.ts";
import { Monitoring } from "../../../src/engines/monitoring.ts";
import { Sibling } from "../../../src/engines/sibling.ts";
import { HttpWebhooks } from "../../../src/engines/webhooks.ts";
import { createApp } from "../../../src/http/app.ts";
import { createServer } from "../../../src/http/server.ts";
import { createLogger } from "../../../src/log.ts";
import { loadSettings } from "../../../src/settings.ts";
import { openStore } from "../../../src/storage/open.ts";
import { openBuiltinVault } from "../../../src/vault/builtin.ts";

/** A whole engine on an SQLite file, to be killed: its sinks are at `LOGS_URL`, and its webhooks may go to this machine. */
const settings = loadSettings();
const logger = createLogger(settings.logLevel);
const store = await openStore(settings.storeUrl);
const vault = await openBuiltinVault({ store, storeUrl: settings.storeUrl, masterKey: settings.masterKey });
const domain = createDomain({
  store,
  vault,
  previewUrlTemplate: settings.previewUrlTemplate,
  validator: null,
  builder: null,
  sinks: [new Monitoring(new Sibling("Monitoring", String(process.env.LOGS_URL)))],
  deliverer: new HttpWebhooks({ allow: new AllowList(["127.0.0.1"]) }),
  exclusive: true,
  clock: { now: () => new Date() },
  failed: (error) => logger.error({ err: error }, "work in the background failed"),
});
const app = createApp({ domain, settings, logger, authentication: null, readiness: async () => ({}) });
domain.sweeper.start();
const url = await createServer(Promise.resolve(app)).listen(settings.port, settings.host);
logger.info({ url }, "listening");
