import { type ChildProcess, spawn } from "node:child_process";
import { partitionsOf } from "../../scripts/partitions.ts";
import { COPY_PARTITION } from "../../src/copy-state.ts";
import type { Domain } from "../../src/domain.ts";
import type { Store } from "../../src/ports.ts";
import { documentPages, objectPages } from "../../src/scan.ts";
import { caller } from "../domain/support.ts";
import { built } from "../support/built.ts";

export const PROJECTS = ["pf-left", "pf-right", "pf-third"];
export const ANN = caller("ann");

export interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** A command of the package as a process of its own. */
export class Command {
  readonly finished: Promise<Outcome>;
  readonly #child: ChildProcess;

  constructor(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const { PATH = "", HOME = "" } = process.env;
    // As settings read it, an empty one is not there: a `.env` of this machine must not be read in its place.
    const settings = { STORE_URL: "", STORE_STRICT: "", ENV_MANAGER_MASTER_KEY: "", ...env };
    const child = spawn(process.execPath, [built(`scripts/${script}.js`), ...args], { env: { PATH, HOME, ...settings } });
    this.#child = child;
    let [output, errors] = ["", ""];
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    this.finished = new Promise((done) => child.on("close", (code) => done({ code, output, errors })));
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  kill9(): void {
    this.#child.kill("SIGKILL");
  }
}

export function run(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  return new Command(script, args, env).finished;
}

/** A few environments with some history, components, vars, flags and secrets in each project. */
export async function fill({ creation, state, config }: Domain, changes: number): Promise<void> {
  for (const project of PROJECTS) {
    await creation.create(ANN, { project, env: "dev", base: null, env_variables: { API_KEY: `secret of ${project}`, REGION: "eu" } });
    for (let n = 0; n < changes; n++) {
      const set = { [`pages/${n}`]: { text: `page ${n} ${"·".repeat(200)}` }, [`flows/é${n}`]: { trigger: "x".repeat(3_000) } };
      await state.patch(ANN, { project, env: "dev", ifMatch: null, set });
      await config.patch(ANN, { project, env: "dev", ifMatch: null, vars: { [`V_${n}`]: `${n}` } });
    }
    await creation.create(ANN, { project, env: "prod", base: "dev" });
  }
}

/** One small change after another, to one project after another, until it is told to stop. Answers how many there were. */
export function keepWriting({ config }: Domain): { stop(): Promise<number> } {
  let going = true;
  const writing = (async () => {
    let n = 0;
    for (; going; n++) {
      const project = PROJECTS[n % PROJECTS.length] as string;
      const name = `W_${n % 20}`;
      await config.patch(ANN, { project, env: "dev", ifMatch: null, vars: { [name]: `${n}` }, secrets: { TOKEN: `token ${n}` } });
    }
    return n;
  })();
  return {
    stop() {
      going = false;
      return writing;
    },
  };
}

/** Everything that a store holds, as one text for each partition, without what is written of copies. */
export async function dump(store: Store): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const partition of await partitionsOf(store)) {
    const lines: string[] = [];
    for await (const page of documentPages(store, partition, "")) {
      lines.push(...page.map(({ key, value }) => `${key} ${JSON.stringify(value)}`));
    }
    for await (const page of objectPages(store, partition)) {
      const found = await store.objects.get(
        partition,
        page.map(({ hash }) => hash),
      );
      lines.push(...page.map(({ hash }, index) => `${hash} ${Buffer.from(found[index] ?? []).toString("base64")}`));
    }
    all[partition] = lines.join("\n");
  }
  return all;
}

/** Steps that a copy has written down in its target so far. */
export async function stepsOf(target: Store): Promise<number> {
  return (await target.revision([COPY_PARTITION]))[0] ?? 0;
}
