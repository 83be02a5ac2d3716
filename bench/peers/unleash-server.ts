import { spawn } from "node:child_process";
import { join } from "node:path";
import { PostgresServer } from "../../tests/support/postgres-server.ts";
import { end, type ServerProcess } from "../processes.ts";
import { folderOf, named } from "./packages.ts";
import { freePort, untilAnswers } from "./ready.ts";

const ADMIN = "*:*.bench-admin";
const ENVIRONMENT = "development";

export interface UnleashServer extends ServerProcess {
  readonly version: string;
  /** What its SDKs for servers, and its SDKs in pages, say who they are with. */
  readonly backend: string;
  readonly frontend: string;
  readonly admin: string;
  /** A flag with one rule, switched on. */
  createFlag(name: string, strategy: object): Promise<void>;
  /** Where a flag is switched on and off. */
  switchPath(name: string, on: boolean): string;
}

/** Unleash on a PostgreSQL that syncs its commits, as its documentation sets it up for production: no request log, no debug log, its caches as they come. */
export async function startUnleash(): Promise<UnleashServer> {
  const postgres = await PostgresServer.start({ durable: true, settings: { shared_buffers: "128MB" } });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const [backend, frontend] = [`default:${ENVIRONMENT}.bench-backend`, `default:${ENVIRONMENT}.bench-frontend`];
  const child = spawn(process.execPath, [join(folderOf("unleash-server"), "dist", "server.js")], {
    env: {
      ...process.env,
      NODE_ENV: "production",
      TZ: "UTC",
      HTTP_HOST: "127.0.0.1",
      HTTP_PORT: String(port),
      DATABASE_URL: await postgres.createDatabase(),
      DATABASE_SSL: "false",
      CHECK_VERSION: "false",
      SEND_TELEMETRY: "false",
      UNLEASH_SECRET: "bench",
      INIT_ADMIN_API_TOKENS: ADMIN,
      INIT_BACKEND_API_TOKENS: backend,
      INIT_FRONTEND_API_TOKENS: frontend,
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  process.once("exit", () => child.kill("SIGKILL"));
  await untilAnswers(`${url}/health`, child);
  const features = "/api/admin/projects/default/features";
  const send = async (path: string, body?: object): Promise<void> => {
    const headers = { authorization: ADMIN, "content-type": "application/json" };
    const reply = await fetch(url + path, { method: "POST", headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!reply.ok) throw new Error(`Unleash answered ${reply.status} to ${path}: ${await reply.text()}`);
  };
  const switchPath = (name: string, on: boolean) => `${features}/${name}/environments/${ENVIRONMENT}/${on ? "on" : "off"}`;
  return {
    ...{
      url,
      pid: child.pid ?? 0,
      version: `Unleash ${named("unleash-server").split(" ")[1]}`,
      backend,
      frontend,
      admin: ADMIN,
      switchPath,
    },
    createFlag: async (name, strategy) => {
      await send(features, { name, type: "release" });
      await send(`${features}/${name}/environments/${ENVIRONMENT}/strategies`, strategy);
      await send(switchPath(name, true));
    },
    stop: async () => {
      await end(child, "SIGTERM");
      await postgres.stop();
    },
  };
}
