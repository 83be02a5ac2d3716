import { join } from "node:path";
import { packageRoot } from "../../src/settings.ts";
import { StepFailed } from "./client.ts";
import { EngineProcess, standaloneEnvironment } from "./engine-process.ts";
import { engineArguments } from "./package.ts";

/** The demo's engine: one database, one address, and as many processes one after another as the story asks for. */
export class DemoEngine {
  /** Rejects where the engine ends without being told to. */
  readonly failed: Promise<never>;
  readonly #folder: string;
  #port: number;
  #process: EngineProcess | null = null;
  #closed = false;
  #fail: (error: unknown) => void = () => {};

  constructor(port: number, folder: string) {
    this.#port = port;
    this.#folder = folder;
    this.failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    // It may fail while nobody waits for it: whoever does then hears of it.
    this.failed.catch(() => undefined);
  }

  /** Starts it and returns its URL. With a token every request must carry it; without one everybody may do everything. */
  async start(token: string | null = null): Promise<string> {
    if (this.#closed) throw new StepFailed("The engine was closed.");
    const child = new EngineProcess({
      args: engineArguments(),
      cwd: packageRoot(),
      env: standaloneEnvironment({
        ENV_MANAGER_PORT: String(this.#port),
        ENV_MANAGER_AUTH: token === null ? "off" : "on",
        ENV_MANAGER_ADMIN_TOKEN: token ?? "",
        STORE_URL: `sqlite:${join(this.#folder, "env.db")}`,
      }),
      ownGroup: true,
    });
    this.#process = child;
    child.exited.then((how) => {
      if (this.#process === child) this.#fail(new StepFailed(`The engine ended (${how}):\n${child.output()}`));
    }, this.#fail);
    const url = await child.listening;
    this.#port = Number(new URL(url).port);
    return url;
  }

  /** Stops it in order and starts it again on the same database, under the same address. */
  async restart(token: string | null = null): Promise<string> {
    await this.#end();
    return this.start(token);
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
