import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createClient } from "redis";

/** What a test must have in order to believe an acknowledgement. */
const DURABLE = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--save", ""];

/** A port that was free a moment ago may be somebody else's by the time that the server binds it. */
const START_ATTEMPTS = 5;

/** A real `redis-server`, as a process of its own with data in a folder of its own. */
export class RedisServer {
  readonly port: number;
  readonly folder: string;
  readonly #args: readonly string[];
  #process: ChildProcess;

  private constructor(port: number, folder: string, args: readonly string[]) {
    this.port = port;
    this.folder = folder;
    this.#args = args;
    this.#process = this.#spawn();
  }

  /** @param args more arguments of `redis-server`; the last of a name wins */
  static async start(...args: readonly string[]): Promise<RedisServer> {
    const folder = mkdtempSync(join(tmpdir(), "env-redis-"));
    for (let attempt = 1; ; attempt++) {
      const server = new RedisServer(await freePort(), folder, args);
      try {
        await server.#ready();
        return server;
      } catch (error) {
        await server.kill();
        if (attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Runs one command on a connection of its own. */
  async command(...args: string[]): Promise<unknown> {
    const client = await this.client();
    try {
      return await client.sendCommand(args);
    } finally {
      client.destroy();
    }
  }

  async client() {
    const client = createClient({ url: this.url, socket: { reconnectStrategy: false } });
    client.on("error", () => {}); // Each command that fails says so itself.
    return client.connect();
  }

  /** `kill -9`, and the wait until it is gone. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }

  /** Starts it again on the same data and port. */
  async restart(): Promise<void> {
    await this.kill();
    this.#process = this.#spawn();
    await this.#ready();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Ends it and takes its data away. */
  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #spawn(): ChildProcess {
    const args = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.folder, ...DURABLE, ...this.#args];
    const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
    const kill = () => void child.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", () => process.removeListener("exit", kill));
    return child;
  }

  /** Resolves when it takes connections and has its data; rejects, with what it said, where it ends before. */
  async #ready(): Promise<void> {
    const said: string[] = [];
    if (this.#process.stdout === null) throw new Error("redis-server has no output.");
    for await (const line of createInterface({ input: this.#process.stdout })) {
      said.push(line);
      if (!line.includes("Ready to accept connections")) continue;
      this.#process.stdout.resume(); // A full pipe would hold it up.
      return;
    }
    throw new Error(`redis-server did not start:\n${said.join("\n")}`);
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("There is no port.");
  return address.port;
}
