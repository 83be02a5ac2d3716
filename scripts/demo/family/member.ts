import { join } from "node:path";
import { packageRoot } from "../../../src/package.ts";
import { EngineProcess } from "../engine-process.ts";
import { memberArguments } from "../package.ts";
import type { Behaviour } from "./behaviour.ts";
import type { BuilderMemory } from "./builder.ts";
import type { Members } from "./contract.ts";
import type { DeploymentMemory } from "./deployment.ts";
import type { FeedbackMemory } from "./feedback.ts";
import type { MonitoringMemory } from "./monitoring.ts";
import { MEMBERS, type MemberName } from "./play.ts";
import type { ValidationMemory } from "./validation.ts";
import type { VaultMemory } from "./vault.ts";

interface Memories {
  readonly vault: VaultMemory;
  readonly validation: ValidationMemory;
  readonly monitoring: MonitoringMemory;
  readonly deployment: DeploymentMemory;
  readonly builder: BuilderMemory;
  readonly feedback: FeedbackMemory;
}

/** What an engine of the family was asked since it was started, and what it remembers. */
interface Seen<Name extends MemberName> {
  readonly calls: readonly { readonly method: string; readonly path: string; readonly status: number | null }[];
  /** What its contract does not know. */
  readonly breaches: readonly string[];
  readonly memory: Memories[Name];
}

const SETTINGS: Readonly<Record<MemberName, string>> = {
  vault: "VAULT_URL",
  validation: "VALIDATION_URL",
  monitoring: "LOGS_URL",
  deployment: "DEPLOYMENT_URL",
  builder: "BUILDER_URL",
  feedback: "FEEDBACK_URL",
};

/** One engine of the family as a process. It is stopped and started again at the same address, with what it remembers. */
export class Member<Name extends MemberName> {
  readonly name: Name;
  readonly #file: string;
  #url = "";
  #process: EngineProcess | null = null;

  /** @param folder holds what it remembers */
  constructor(name: Name, folder: string) {
    this.name = name;
    this.#file = join(folder, `${name}.json`);
  }

  get url(): string {
    return this.#url;
  }

  get running(): boolean {
    return this.#process?.running === true;
  }

  async start(): Promise<this> {
    const port = this.#url === "" ? "0" : new URL(this.#url).port;
    const args = [...memberArguments(), this.name, port, this.#file];
    const started = new EngineProcess({ args, cwd: packageRoot(), env: process.env, ownGroup: true });
    this.#process = started;
    this.#url = await started.listening;
    return this;
  }

  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    await running?.end("SIGKILL");
  }

  async behave(behaviour: Behaviour, more: Members = {}): Promise<void> {
    const reply = await fetch(`${this.#url}/_behaviour`, { method: "PUT", body: JSON.stringify({ behaviour, ...more }) });
    if (!reply.ok) throw new Error(await reply.text());
  }

  async seen(): Promise<Seen<Name>> {
    return (await (await fetch(`${this.#url}/_seen`)).json()) as Seen<Name>;
  }
}

/** The six of them. */
export class Family {
  readonly vault: Member<"vault">;
  readonly validation: Member<"validation">;
  readonly monitoring: Member<"monitoring">;
  readonly deployment: Member<"deployment">;
  readonly builder: Member<"builder">;
  readonly feedback: Member<"feedback">;

  constructor(folder: string) {
    this.vault = new Member("vault", folder);
    this.validation = new Member("validation", folder);
    this.monitoring = new Member("monitoring", folder);
    this.deployment = new Member("deployment", folder);
    this.builder = new Member("builder", folder);
    this.feedback = new Member("feedback", folder);
  }

  get all(): readonly Pick<Member<MemberName>, "name" | "url" | "running" | "start" | "stop">[] {
    return MEMBERS.map((name) => this[name]);
  }

  async start(): Promise<void> {
    await Promise.all(this.all.map((member) => member.start()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((member) => member.stop()));
  }

  /** What an engine is started with that has them as siblings. */
  settings(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.all.map(({ name, url }) => [SETTINGS[name], url]));
  }
}
