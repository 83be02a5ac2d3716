import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** Lines of output kept of one process: enough to read what went wrong, bounded whatever it prints. */
const OUTPUT_LINES = 20_000;

/** Settings that a developer's shell or `.env` may hold and that would make a run differ from one machine to the next. */
const NEUTRAL = {
  ENV_MANAGER_HOST: "127.0.0.1",
  ENV_MANAGER_ADMIN_TOKEN: "",
  ENV_MANAGER_MASTER_KEY: "",
  ENV_MANAGER_ALLOWED_HOSTS: "",
  ENV_MANAGER_TRUSTED_PROXIES: "",
  SHUTDOWN_DELAY: "",
  STALE_READS: "",
  RATE_LIMIT_PER_TOKEN: "",
  RATE_LIMIT_PER_ADDRESS: "",
  OIDC_ISSUER: "",
  PREVIEW_URL_TEMPLATE: "",
  VAULT_KIND: "",
  VAULT_URL: "",
  VAULT_TOKEN: "",
  VAULT_ROLE_ID: "",
  VAULT_SECRET_ID: "",
  WEBHOOK_ALLOW: "",
  VALIDATION_URL: "",
  LOGS_URL: "",
  DEPLOYMENT_URL: "",
  BUILDER_URL: "",
  FEEDBACK_URL: "",
  // The line that says where it listens is logged at this level.
  LOG_LEVEL: "info",
};

/** The environment of an engine that stands alone: the settings given, and none that happen to be set here. */
export function standaloneEnvironment(settings: Readonly<Record<string, string>>): Readonly<Record<string, string | undefined>> {
  return { ...process.env, ...NEUTRAL, ...settings };
}

interface EngineCommand {
  /** What Node runs: the engine's entry, after any flags. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Its own process group, so that a terminal's Ctrl-C reaches only the parent, which then stops it in order. */
  readonly ownGroup?: boolean;
}

/** How a process ended, in words: `exit code 1`, `SIGKILL`. */
type Ending = string;

/** One engine as a separate process. It never outlives the process that started it, unless that one is killed. */
export class EngineProcess {
  /** The URL that it listens on, once it does; rejects with its output where it ends before. */
  readonly listening: Promise<string>;
  readonly exited: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #output: string[] = [];

  constructor({ args, cwd, env, ownGroup = false }: EngineCommand) {
    const child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: ownGroup });
    this.#child = child;
    const killWithParent = (): boolean => child.kill("SIGKILL");
    process.once("exit", killWithParent);
    this.exited = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        process.removeListener("exit", killWithParent);
        resolve(signal ?? `exit code ${code}`);
      });
    });
    this.listening = this.#listening(child.stdout, child.stderr);
    // Whoever stops a process that never listened does not wait for it to listen.
    this.listening.catch(() => undefined);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Everything that it printed so far, both streams. */
  output(): string {
    return this.#output.join("\n");
  }

  /** Sends a signal: `SIGSTOP` and `SIGCONT` let it stand still for a while. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends the signal and waits for the end. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<Ending> {
    this.#child.kill(signal);
    return this.exited;
  }

  async #listening(stdout: Readable | null, stderr: Readable | null): Promise<string> {
    return new Promise((resolve, reject) => {
      for (const stream of [stdout, stderr]) {
        if (stream === null) continue;
        createInterface({ input: stream }).on("line", (line) => {
          this.#keep(line);
          const url = listeningUrl(line);
          if (url !== null) resolve(url);
        });
      }
      this.exited.then((ending) => reject(new Error(`The engine ended before it listened (${ending}):\n${this.output()}`)), reject);
    });
  }

  #keep(line: string): void {
    this.#output.push(line);
    if (this.#output.length > OUTPUT_LINES) this.#output.shift();
  }
}

/** The `url` of the log line `{"msg":"listening", …}`; `null` for any other line. */
export function listeningUrl(line: string): string | null {
  if (!line.startsWith("{") || !line.includes('"listening"')) return null;
  try {
    const entry = JSON.parse(line) as { readonly msg?: unknown; readonly url?: unknown };
    return entry.msg === "listening" && typeof entry.url === "string" ? entry.url : null;
  } catch {
    return null;
  }
}
