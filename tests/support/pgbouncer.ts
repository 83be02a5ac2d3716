import { type ChildProcess, spawn } from "node:child_process";
import { on, once } from "node:events";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { PostgresServer } from "./postgres-server.ts";
import { freePort } from "./redis.ts";

export type PoolMode = "session" | "transaction" | "statement";

/** It refuses to run as root, as PostgreSQL does. */
const USER = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** A port that was free a moment ago may be somebody else's by the time that the server binds it. */
const START_ATTEMPTS = 5;

/** A real PgBouncer in front of a real PostgreSQL server, as a process of its own. */
export class PgBouncer {
  readonly port: number;
  readonly #target: PostgresServer;
  readonly #folder: string;
  #settings: Readonly<Record<string, string | number>>;
  #process: ChildProcess | null = null;
  #lines: Interface | null = null;

  private constructor(port: number, target: PostgresServer, folder: string, settings: Readonly<Record<string, string | number>>) {
    this.port = port;
    this.#target = target;
    this.#folder = folder;
    this.#settings = settings;
  }

  /** @param settings more of `pgbouncer.ini` */
  static async start(target: PostgresServer, mode: PoolMode, settings: Readonly<Record<string, string | number>> = {}): Promise<PgBouncer> {
    const folder = mkdtempSync(join(tmpdir(), "env-pgbouncer-"));
    for (let attempt = 1; ; attempt++) {
      const pooler = new PgBouncer(await freePort(), target, folder, { pool_mode: mode, ...settings });
      try {
        await pooler.restart();
        return pooler;
      } catch (error) {
        if (attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  /** As `STORE_URL` has it. */
  url(database: string, option = ""): string {
    return `${this.#target.url(database, this.port)}${option}`;
  }

  /** Another mode from the next transaction on, as an operator sets it: connections stay. */
  async reload(mode: PoolMode): Promise<void> {
    this.#settings = { ...this.#settings, pool_mode: mode };
    this.#configure();
    const reloaded = this.#says("SIGHUP");
    this.#process?.kill("SIGHUP");
    await reloaded;
  }

  /** `kill -9`, and the wait until it is gone. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  /** Starts it again on the same port. */
  async restart(): Promise<void> {
    await this.kill();
    this.#configure();
    const PATH = `${process.env["PATH"] ?? ""}${delimiter}/usr/sbin`;
    const child = spawn("pgbouncer", [join(this.#folder, "pgbouncer.ini")], {
      ...USER,
      env: { ...process.env, PATH },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    const kill = () => void child.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", () => process.removeListener("exit", kill));
    this.#lines = createInterface({ input: child.stderr });
    await this.#says("process up");
  }

  /** Ends it and takes its folder away. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Resolves when it writes this to its log; rejects, with what it wrote, where it ends before. */
  async #says(words: string): Promise<void> {
    const written: string[] = [];
    for await (const [line] of on(this.#lines as Interface, "line", { close: ["close"] })) {
      if (String(line).includes(words)) return;
      written.push(String(line));
    }
    throw new Error(`PgBouncer ended:\n${written.join("\n")}`);
  }

  #configure(): void {
    const { username, password } = new URL(this.#target.url());
    const settings = {
      listen_addr: "127.0.0.1",
      listen_port: this.port,
      unix_socket_dir: "",
      auth_type: "scram-sha-256",
      auth_file: join(this.#folder, "users.txt"),
      ...this.#settings,
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
    this.#write("users.txt", `"${username}" "${password}"\n`);
    this.#write("pgbouncer.ini", `[databases]\n* = host=127.0.0.1 port=${this.#target.port}\n\n[pgbouncer]\n${lines.join("\n")}\n`);
  }

  #write(name: string, content: string): void {
    const path = join(this.#folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    if (USER.uid === undefined || USER.gid === undefined) return;
    chownSync(this.#folder, USER.uid, USER.gid);
    chownSync(path, USER.uid, USER.gid);
  }
}
