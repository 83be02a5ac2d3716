import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { childScript } from "../../support/children.ts";
import type { FaultOrder, Seen } from "./stand-in.ts";

interface Told {
  readonly entries: readonly string[];
  readonly seen: readonly Seen[];
  readonly held: number;
}

/** A vault's stand-in in a process of its own, and the way to tell it how to fail. */
export class StandIn {
  readonly url: string;
  readonly #control: string;
  readonly #process: ChildProcess;

  private constructor(url: string, control: string, process: ChildProcess) {
    this.url = url;
    this.#control = control;
    this.#process = process;
  }

  static async start(kind: "puraify" | "kv2"): Promise<StandIn> {
    const child = spawn(process.execPath, [childScript(`vault/stand-ins/${kind}-server`)], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const [line] = (await once(lines, "line")) as [string];
    const { url, control } = JSON.parse(line) as { url: string; control: string };
    return new StandIn(url, control, child);
  }

  async fail(order: FaultOrder): Promise<void> {
    await this.#tell("/fault", order);
  }

  async heal(): Promise<void> {
    await this.#tell("/heal");
  }

  /** Lets what was held take effect, and be answered. */
  async release(): Promise<void> {
    await this.#tell("/release");
  }

  async clear(): Promise<void> {
    await this.#tell("/clear");
  }

  async control(order: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#tell("/control", order);
  }

  /** What it keeps, as `<project>/<env>/<NAME>@<id>`; the engine's own key left out. */
  async entries(): Promise<string[]> {
    return (await this.#tell("/")).entries.filter((path) => !path.startsWith("_engine/"));
  }

  async everyEntry(): Promise<readonly string[]> {
    return (await this.#tell("/")).entries;
  }

  /** Requests that wait for `release`. */
  async held(): Promise<number> {
    return (await this.#tell("/")).held;
  }

  /** Every request so far. */
  async seen(): Promise<readonly Seen[]> {
    return (await this.#tell("/")).seen;
  }

  async stop(): Promise<void> {
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }

  async #tell(path: string, body: unknown = {}): Promise<Told> {
    const reply = await fetch(this.#control + path, { method: "POST", body: JSON.stringify(body) });
    return (await reply.json()) as Told;
  }
}
