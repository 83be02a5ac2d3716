import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import type { DomainParts } from "../../src/domain.ts";
import { AllowList } from "../../src/engines/address.ts";
import { Monitoring } from "../../src/engines/monitoring.ts";
import { Sibling } from "../../src/engines/sibling.ts";
import { HttpWebhooks } from "../../src/engines/webhooks.ts";
import type { SinkView } from "../../src/sinks.ts";
import { auditRecords, documents, domainOn, memoryStore, openVault, PROJECT, Project, TestClock, type World } from "../domain/support.ts";
import { childScript } from "../support/children.ts";
import { later } from "../support/clean-up.ts";
import type { Behaviour, Seen } from "./stand-ins/receiver.ts";

export { later };

/** A Monitoring engine and a webhook's receiver, as one process of its own. */
export class Receiver {
  url = "";
  #process: ChildProcess | null = null;

  /** On the port that it had before, where it had one. */
  async start(): Promise<this> {
    const port = this.url === "" ? "0" : new URL(this.url).port;
    const child = spawn(process.execPath, [childScript("sinks/stand-ins/receiver"), port], { stdio: ["ignore", "pipe", "inherit"] });
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

  /** `only`: towards records that hold this text; `retryAfter`: with this header. */
  async behave(behaviour: Behaviour, only = "", retryAfter?: string): Promise<void> {
    await fetch(`${this.url}/behaviour`, { method: "PUT", body: JSON.stringify({ behaviour, only, retryAfter }) });
  }

  /** What events must be signed with, each of them. */
  async expectSecrets(...secrets: string[]): Promise<void> {
    await fetch(`${this.url}/secrets`, { method: "PUT", body: JSON.stringify(secrets) });
  }

  async seen(): Promise<Seen> {
    return (await (await fetch(`${this.url}/seen`)).json()) as Seen;
  }
}

export async function openReceiver(): Promise<Receiver> {
  const receiver = await new Receiver().start();
  later(() => receiver.stop());
  return receiver;
}

export function monitoringAt(url: string): Monitoring {
  // The breaker goes by real time, which tests do not wait for.
  const sibling = new Sibling("Monitoring", url, { attempts: 1, firstPauseMs: 1, failures: 1_000_000, pauseMs: 1 });
  later(() => sibling.close());
  return new Monitoring(sibling);
}

export function deliverer(timeoutMs?: number): HttpWebhooks {
  return new HttpWebhooks({ allow: new AllowList(["127.0.0.1"]), ...(timeoutMs !== undefined && { timeoutMs }) });
}

/** An engine whose sinks are at work, and whose store's clock stands still until a test moves it. */
export interface Sending extends World {
  readonly clock: TestClock;
  /** When everything is sent that can be sent now. */
  settled(): Promise<void>;
  /** Moves the clock and lets timers act. */
  after(ms: number): Promise<void>;
  sink(name: string): Promise<SinkView>;
}

export async function openSending(parts: Partial<DomainParts> = {}): Promise<Sending> {
  const clock = new TestClock();
  const store = parts.store ?? memoryStore(clock);
  const vault = parts.vault ?? (await openVault(store));
  return sendingOn({ ...parts, store, vault }, clock);
}

/** One more engine on the same store. */
export function sendingOn(parts: Partial<DomainParts> & Pick<DomainParts, "store" | "vault">, clock: TestClock): Sending {
  const { store, vault } = parts;
  const failures: unknown[] = [];
  const domain = domainOn(store, vault, failures, { clock: { now: () => new Date(clock.time) }, ...parts });
  domain.sinks.start();
  domain.sinks.lookThrough();
  later(() => domain.sinks.stop());
  const settled = () => domain.sinks.idle();
  return {
    store,
    vault,
    domain,
    clock,
    failures,
    project: new Project(domain),
    settled,
    after: async (ms) => {
      clock.time += ms;
      await domain.sweeper.runDue();
      await settled();
    },
    sink: async (name) => {
      const found = (await domain.sinks.overview(PROJECT)).find((sink) => sink.name === name);
      if (found === undefined) throw new Error(`there is no sink ${name}`);
      return found;
    },
  };
}

/** Every record is taken, first in order, each at least once, and none that there is not. */
export async function expectAllTaken({ store }: Pick<World, "store">, receiver: Receiver, from = 1): Promise<void> {
  const { taken, breaches } = await receiver.seen();
  const records = await auditRecords(store);
  const expected = records.filter(({ seq }) => seq >= from).map(({ project, seq }) => `${project}:${seq}`);
  expect([...new Set(taken)]).toEqual(expected);
  expect(breaches).toEqual([]);
}

/** What is kept of the project's sinks. */
export function sinkDocuments({ store }: Pick<World, "store">) {
  return documents(store, `_sinks:${PROJECT}`);
}

export const MINUTE = 60_000;
export const LONG_ENOUGH = 20 * MINUTE;
