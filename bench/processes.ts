import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { listeningUrl, standaloneEnvironment } from "../scripts/demo/engine-process.ts";

/** A server in a process of its own. */
export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** The path of a file of this folder. */
export function here(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

export const ENGINE_SOURCE = here("../src/index.ts");
export const ENGINE_BUILT = here("../dist/index.js");

/** What Node runs for a file: TypeScript goes through tsx. */
function nodeArguments(file: string): string[] {
  return file.endsWith(".ts") ? ["--import", "tsx", file] : [file];
}

/** A process that is killed with this one. */
export function spawnNode(args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("close", () => process.removeListener("exit", kill));
  return child;
}

export function engineEnvironment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return standaloneEnvironment({ ENV_MANAGER_PORT: "0", ENV_MANAGER_AUTH: "off", ...settings });
}

/** Starts an engine, the source of this one unless another entry is given, and resolves when it listens. */
export async function startEngine(settings: Readonly<Record<string, string>>, entry: string = ENGINE_SOURCE): Promise<ServerProcess> {
  const child = spawnNode(nodeArguments(entry), engineEnvironment(settings));
  const url = await listening(child);
  return { url, pid: child.pid ?? 0, stop: () => end(child, "SIGTERM") };
}

export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const closed = once(child, "close");
  child.kill(signal);
  await closed;
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("close", (code) => reject(new Error(`the engine ended before it listened, with code ${code}`)));
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on("line", (text) => {
      const url = listeningUrl(text);
      if (url !== null) resolve(url);
    });
  });
}
