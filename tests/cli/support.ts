import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { built } from "../support/built.ts";
import { type Engine, useEngine } from "../support/engine.ts";

/** `envm` as it is built. */
export const ENVM = built("cli/main.js");
export const ROOT_TOKEN = "root-token-of-the-cli-tests";
export const PROJECT = "pf-777";

/** How a command ended, and what it printed. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface Invoking {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
}

/** `envm`, in a folder and with a login file of its own. */
export class Cli {
  /** Where commands are typed. */
  readonly folder: string;
  readonly home: string;
  readonly environment: Readonly<Record<string, string>>;

  constructor(environment: Readonly<Record<string, string>>) {
    this.folder = mkdtempSync(join(tmpdir(), "envm-folder-"));
    this.home = mkdtempSync(join(tmpdir(), "envm-home-"));
    const { PATH = "", HOME = "" } = process.env;
    this.environment = { PATH, HOME, XDG_CONFIG_HOME: this.home, ...environment };
  }

  /** The same, as somebody else. */
  as(environment: Readonly<Record<string, string>>): Cli {
    return new Cli({ ...this.environment, ...environment, XDG_CONFIG_HOME: this.home });
  }

  start(args: readonly string[], { env, cwd = this.folder }: Invoking = {}): ChildProcess {
    return spawn(process.execPath, [ENVM, ...args], { cwd, env: { ...this.environment, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  }

  /** One command to its end. Never rejects for an exit code. */
  run(args: readonly string[], invoking: Invoking = {}): Promise<Ended> {
    const child = this.start(args, invoking);
    child.stdin?.on("error", () => {});
    child.stdin?.end(invoking.input ?? "");
    return ended(child);
  }

  /** One command that has to succeed: what it printed. */
  async ok(args: readonly string[], invoking: Invoking = {}): Promise<string> {
    const result = await this.run(args, invoking);
    if (result.code === 0) return result.out;
    throw new Error(`envm ${args.join(" ")} ended with ${result.code ?? result.signal}:\n${result.out}\n${result.err}`);
  }

  async json<Reply = Readonly<Record<string, unknown>>>(args: readonly string[], invoking: Invoking = {}): Promise<Reply> {
    // The one place that trusts a reply's shape: each caller says which one it expects, and asserts it.
    return JSON.parse(await this.ok([...args, "--json"], invoking)) as Reply;
  }

  /** A line as a shell runs it, with `envm` found by its name. */
  shell(line: string, invoking: Invoking = {}): Promise<Ended> {
    const bin = join(this.home, "bin");
    const env = { ...this.environment, ...invoking.env, PATH: `${bin}:${this.environment["PATH"]}` };
    const child = spawn("/bin/bash", ["-c", line], { cwd: invoking.cwd ?? this.folder, env, stdio: ["pipe", "pipe", "pipe"] });
    child.stdin?.on("error", () => {});
    child.stdin?.end(invoking.input ?? "");
    return ended(child);
  }

  file(name: string, content: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
    rmSync(this.home, { recursive: true, force: true });
  }
}

export function ended(child: ChildProcess): Promise<Ended> {
  const text = { out: "", err: "" };
  child.stdout?.setEncoding("utf8").on("data", (part: string) => {
    text.out += part;
  });
  child.stderr?.setEncoding("utf8").on("data", (part: string) => {
    text.err += part;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, ...text }));
  });
}

/** One engine and one command line for all tests of a file. */
export function useCli(): { readonly engine: Engine; readonly cli: Cli } {
  const engine = useEngine({ token: ROOT_TOKEN });
  let cli: Cli | null = null;
  beforeAll(() => {
    cli = new Cli({ ENVM_URL: engine.url, ENVM_TOKEN: ROOT_TOKEN, ENVM_PROJECT: PROJECT });
  });
  afterAll(() => cli?.dispose());
  return {
    engine,
    get cli() {
      if (cli === null) throw new Error("not before the tests begin");
      return cli;
    },
  };
}
