import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { childScript } from "../support/children.ts";
import type { Behaviour } from "./children/validation-engine.ts";

/** The stand-in for a Validation engine, as a process. */
export class StandIn {
  url = "";
  #process: ChildProcess | null = null;

  async start(): Promise<this> {
    const port = this.url === "" ? "0" : new URL(this.url).port;
    const child = spawn(process.execPath, [childScript("validation/children/validation-engine"), port], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process = child;
    const [line] = (await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), "line")) as [string];
    this.url = (JSON.parse(line) as { url: string }).url;
    return this;
  }

  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** Also forgets what it was asked. */
  async behave(behaviour: Behaviour): Promise<void> {
    await fetch(`${this.url}/behaviour`, { method: "PUT", body: JSON.stringify({ behaviour }) });
  }

  /** The flows that it was asked about since `behave`. */
  async asked(): Promise<readonly unknown[]> {
    return (await (await fetch(`${this.url}/asked`)).json()) as readonly unknown[];
  }
}
