import { join } from "node:path";
import { packageRoot } from "../../src/package.ts";
import { EngineProcess, standaloneEnvironment } from "./engine-process.ts";
import { engineArguments } from "./package.ts";
import { StepFailed } from "./step-failed.ts";

/** The demo's engine: one process on a database of its own, which asks for tokens as it does everywhere. */
export class DemoEngine {
  /** Rejects where the engine ends without being told to. */
  readonly failed: Promise<never>;
  readonly #folder: string;
  readonly #rootToken: string;
  readonly #port: number;
  readonly #settings: Readonly<Record<string, string>>;
  #process: EngineProcess | null = null;
  #closed = false;
  #fail: (error: unknown) => void = () => {};

  /** @param settings what it is started with besides: its siblings, for example */
  constructor(port: number, folder: string, rootToken: string, settings: Readonly<Record<string, string>> = {}) {
    this.#port = port;
    this.#settings = settings;
    this.#folder = folder;
    this.#rootToken = rootToken;
    this.failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    // It may fail while nobody waits for it: whoever does then hears of it.
    this.failed.catch(() => undefined);
  }

  /** Starts it and returns its URL. */
  async start(): Promise<string> {
    if (this.#closed) throw new StepFailed("The engine was closed.");
    const child = new EngineProcess({
      args: engineArguments(),
      cwd: packageRoot(),
      env: standaloneEnvironment({
        ENV_MANAGER_PORT: String(this.#port),
        ENV_MANAGER_AUTH: "on",
        ENV_MANAGER_ADMIN_TOKEN: this.#rootToken,
        STORE_URL: `sqlite:${join(this.#folder, "env.db")}`,
        ...this.#settings,
      }),
      ownGroup: true,
    });
    this.#process = child;
    child.exited.then((how) => {
      if (this.#process === child) this.#fail(new StepFailed(`The engine ended (${how}):\n${child.output()}`));
    }, this.#fail);
    return child.listening;
  }

  /** Ends it for good. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }

  async #end(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    await child?.end("SIGTERM");
  }
}
