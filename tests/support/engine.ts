import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { EngineProcess, standaloneEnvironment } from "../../scripts/demo/engine-process.ts";
import { packageRoot } from "../../src/package.ts";
import { SentSecrets } from "../canary/sent-secrets.ts";
import { bodyOf } from "./body.ts";
import { built } from "./built.ts";

const START_MS = 120_000;

export interface EngineOptions {
  /** The root token of an engine that asks for one; without it, `ENV_MANAGER_AUTH=off`. */
  readonly token?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What Node runs instead of the engine's own entry. */
  readonly args?: readonly string[];
}

export interface Reply<Body> {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The parsed body; `undefined` where it is not JSON. */
  readonly body: Body;
}

export type Members = Readonly<Record<string, unknown>>;
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** The engine itself, as a process of its own on a fresh SQLite file in a folder of its own. */
export class Engine {
  /** Holds the database and its key; survives restarts, gone after `dispose`. */
  readonly directory: string = mkdtempSync(join(tmpdir(), "env-manager-"));
  readonly #options: EngineOptions;
  readonly #outputs: string[] = [];
  readonly #secrets = new SentSecrets();
  #process: EngineProcess | null = null;
  #agent = new Agent();
  #url = "";
  #port = "0";

  constructor(options: EngineOptions = {}) {
    this.#options = options;
  }

  get url(): string {
    return this.#url;
  }

  /** Resolves when it listens; rejects, with what it printed, where it does not start. */
  async start(): Promise<this> {
    const { token, env, args = [built("index.js")] } = this.#options;
    this.#agent = new Agent({ keepAlive: true });
    this.#process = new EngineProcess({
      args,
      cwd: packageRoot(),
      env: standaloneEnvironment({
        ENV_MANAGER_PORT: this.#port,
        ENV_MANAGER_AUTH: token === undefined ? "off" : "on",
        ENV_MANAGER_ADMIN_TOKEN: token ?? "",
        STORE_URL: `sqlite:${join(this.directory, "env.db")}`,
        ...env,
      }),
    });
    this.#url = await this.#process.listening;
    return this;
  }

  /**
   * One request, exactly as given: the path is not normalised, and a body that is text or bytes is sent as it is.
   * Any other body goes as JSON. Never rejects for a status; rejects where no reply came.
   */
  request<Body = Members>(method: Method, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply<Body>> {
    const payload = body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const sent: Record<string, string | number> = { ...this.#authorization() };
    if (payload !== undefined) Object.assign(sent, { "content-type": "application/json", "content-length": Buffer.byteLength(payload) });
    this.#secrets.note(path, payload, headers);
    const { hostname, port } = new URL(this.#url);
    return new Promise((resolve, reject) => {
      const request = httpRequest({ hostname, port, method, path, headers: { ...sent, ...headers }, agent: this.#agent }, (response) => {
        bodyOf(response).then((text) => {
          const isJson = /[/+]json\b/.test(response.headers["content-type"] ?? "") && text !== "";
          // The one place that trusts a reply's shape: each caller says which one it expects, and asserts it.
          const parsed = (isJson ? JSON.parse(text) : undefined) as Body;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: parsed });
        }, reject);
      });
      // A server may answer before it has read a body that is too large, and close: then the reply counts, not the broken pipe.
      request.once("error", reject);
      request.end(payload);
    });
  }

  get<Body = Members>(path: string, headers?: Record<string, string>): Promise<Reply<Body>> {
    return this.request<Body>("GET", path, undefined, headers);
  }

  /** Sends it a signal, and does not wait: `SIGSTOP` and `SIGCONT` let it stand still for a while. */
  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
  }

  /** Resolves with how it ended, in words: `exit code 0`, `SIGKILL`. */
  get exited(): Promise<string> {
    return this.#process?.exited ?? Promise.resolve("not started");
  }

  /** Asks it to shut down, and waits until it has. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Kills it without warning, as a power cut would. */
  async kill9(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Starts it on a port of its own choice before: whoever knew its address finds it there again. */
  async startOn(port: string): Promise<void> {
    this.#port = port;
    await this.start();
  }

  /** Starts it again on the same files, after a `stop` where it still runs. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Everything that it printed, across restarts. */
  output(): string {
    return [...this.#outputs, this.#process?.output() ?? ""].join("\n");
  }

  /** Kills it and takes its files away. Rejects where a secret that was sent to it as one is in its files or its output. */
  async dispose(): Promise<void> {
    await this.kill9();
    const leaks = this.#secrets.find(this.directory, this.output());
    rmSync(this.directory, { recursive: true, force: true });
    if (leaks.length > 0) throw new Error(`The engine leaked:\n${leaks.join("\n")}`);
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (this.#process === null) return;
    this.#agent.destroy();
    await this.#process.end(signal);
    this.#outputs.push(this.#process.output());
    this.#process = null;
  }

  #authorization(): Record<string, string> {
    return this.#options.token === undefined ? {} : { authorization: `Bearer ${this.#options.token}` };
  }
}

/** One engine for all tests of a file or of a `describe`. */
export function useEngine(options: EngineOptions = {}): Engine {
  const engine = new Engine(options);
  beforeAll(async () => {
    await engine.start();
  }, START_MS);
  afterAll(() => engine.dispose(), START_MS);
  return engine;
}
