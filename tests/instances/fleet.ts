import { randomBytes } from "node:crypto";
import { Engine, type EngineOptions } from "../support/engine.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { RedisServer } from "../support/redis.ts";

/** A store's server that any number of engines share. */
export interface SharedServer {
  readonly url: string;
  dispose(): Promise<void>;
}

/** Every kind of store that engines share. */
export const SHARED: readonly { readonly name: string; start(): Promise<SharedServer> }[] = [
  {
    name: "postgres",
    async start() {
      const server = await PostgresServer.start({ durable: true });
      return { url: await server.createDatabase(), dispose: () => server.stop() };
    },
  },
  { name: "redis", start: () => RedisServer.start() },
];

/** How often an engine is started that finds no answer from its store: on a machine that is busy that may take longer than it waits. */
const STARTS = 5;

/** Starts an engine that was killed, or that still runs. */
export async function startAgain(engine: Engine): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await engine.restart();
      return;
    } catch (error) {
      if (attempt === STARTS) throw error;
    }
  }
}

/** Engines that share a store, each a process of its own. */
export class Fleet {
  readonly server: SharedServer;
  readonly #options: EngineOptions;
  readonly #engines: Engine[] = [];

  private constructor(server: SharedServer, options: EngineOptions) {
    this.server = server;
    this.#options = options;
  }

  static async start(start: () => Promise<SharedServer>, size: number, options: EngineOptions = {}): Promise<Fleet> {
    const server = await start();
    const masterKey = randomBytes(32).toString("base64");
    const env = { STORE_URL: server.url, ENV_MANAGER_MASTER_KEY: masterKey, LOG_LEVEL: "info", ...options.env };
    const fleet = new Fleet(server, { ...options, env });
    // The first alone, so that all others find the store as it made it.
    for (let index = 0; index < size; index++) await fleet.add();
    return fleet;
  }

  get engines(): readonly Engine[] {
    return this.#engines;
  }

  async add(): Promise<Engine> {
    const engine = await new Engine(this.#options).start();
    this.#engines.push(engine);
    return engine;
  }

  async dispose(): Promise<void> {
    for (const engine of this.#engines) engine.signal("SIGCONT");
    await Promise.all(this.#engines.map((engine) => engine.dispose()));
    await this.server.dispose();
  }
}
