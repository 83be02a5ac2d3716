import fc from "fast-check";
import type { Engine } from "../support/engine.ts";
import { Connection, exchange, parseReplies, type Received } from "./connection.ts";
import type { Reference } from "./document.ts";
import { Judge } from "./judge.ts";
import { Pool } from "./pool.ts";
import { type FuzzRequest, render, requests, type Sent } from "./requests.ts";
import { vocabulary } from "./vocabulary.ts";
import { changeFaults, type Look, Watch } from "./watch.ts";
import { type WireRequest, wireRequests } from "./wire.ts";

export interface LaneOptions {
  readonly engine: Engine;
  readonly reference: Reference;
  /** What requests show, more often the more often it is here; `null` for no token. */
  readonly tokens: readonly (string | null)[];
  readonly seed: number;
  readonly requests: number;
  /** Nobody else writes to it. */
  readonly project: string;
  /** Several lanes write to it. */
  readonly shared: string;
  /** Addresses of receivers of webhooks: there is somebody. */
  readonly receivers: readonly string[];
}

/** One thing that is wrong, with the smallest request found that shows it. */
export interface Finding {
  readonly fault: string;
  times: number;
  example: string;
}

/** Requests between two looks at the project. */
const BATCH = 25;
/** Requests that are sent to make a finding smaller. */
const SHRINKS = 150;

type Item = { readonly http: FuzzRequest } | { readonly wire: WireRequest };
interface Verdict {
  readonly faults: readonly string[];
  readonly story: string;
}

/** One client with a connection of its own, and a project that it alone writes to. */
export class Lane {
  readonly statuses = new Map<number, number>();
  readonly findings = new Map<string, Finding>();
  /** Operations that did what they were asked. */
  readonly succeeded = new Set<string>();
  readonly #options: LaneOptions;
  readonly #connection: Connection;
  readonly #judge: Judge;
  readonly #watch: Watch;
  readonly #pool = new Pool();
  /** What was refused since the look before, by request id. */
  readonly #refused = new Map<string, string>();
  #look: Look | null = null;
  #sent = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#connection = new Connection(options.engine.url);
    this.#judge = new Judge(options.reference);
    this.#watch = new Watch(options.engine, options.project);
  }

  /** Requests that were sent. */
  get sent(): number {
    return this.#sent;
  }

  /** Sends all requests. A fault does not end it: it is made smaller, noted, and from then on counted. */
  async run(): Promise<void> {
    this.#look = await this.#watch.look(0);
    const items = this.#items();
    for (let round = 0; this.#sent < this.#options.requests; round++) {
      let chased: string | null = null;
      let shrinks = 0;
      const property = fc.asyncProperty(items, async (item) => {
        if (chased !== null && ++shrinks > SHRINKS) return true;
        const { faults, story } = await this.#judged(item);
        const fresh: string | undefined =
          chased === null ? faults.find((fault) => !this.findings.has(fault)) : faults.find((fault) => fault === chased);
        for (const fault of faults) this.#note(fault, story, fault === fresh);
        if (fresh !== undefined) chased = fresh;
        return fresh === undefined;
      });
      const { failed, errorInstance } = await fc.check(property, {
        seed: this.#options.seed + 1_000 * round,
        numRuns: this.#options.requests - this.#sent,
      });
      // Not a finding, but a fault of the run itself.
      if (failed && chased === null) throw errorInstance ?? new Error("the run broke off");
    }
    await this.#compare();
    this.#connection.close();
  }

  #items(): fc.Arbitrary<Item> {
    const { project, shared, reference, receivers } = this.#options;
    const projects = fc.oneof(
      { arbitrary: fc.constant(project), weight: 24 },
      { arbitrary: fc.constant(shared), weight: 6 },
      { arbitrary: fc.constantFrom("fuzz-nobody", "create", "no project", "PF", "fuzz-later"), weight: 1 },
    );
    return fc.oneof(
      { arbitrary: requests(reference, vocabulary(projects, receivers)).map((http) => ({ http })), weight: 30 },
      { arbitrary: wireRequests.map((wire) => ({ wire })), weight: 1 },
    );
  }

  async #judged(item: Item): Promise<Verdict> {
    const verdict = "http" in item ? await this.#http(item.http) : await this.#wire(item.wire);
    if (++this.#sent % BATCH === 0) await this.#compare();
    return verdict;
  }

  async #http(request: FuzzRequest): Promise<Verdict> {
    const id = `fz-${this.#options.project}-${this.#sent}`;
    const { headers, ...rest } = render(request, this.#pool);
    const sent: Sent = { ...rest, headers: { "x-request-id": id, ...this.#authorization(request.token), ...headers } };
    const received = await this.#connection.send(sent).catch((error: Error) => error.message);
    if (typeof received === "string") return { faults: [`${sent.method} has no reply: ${received}`], story: told(sent, received) };
    count(this.statuses, received.status);
    const { operation, faults } = this.#judge.faults(sent, received);
    if (received.status < 300) this.succeeded.add(operation);
    if (received.status >= 400) this.#refused.set(id, `${operation} ${received.status}`);
    if (received.status < 300 && received.headers["content-type"]?.startsWith("application/json")) this.#learn(operation, received);
    return { faults: faults.map((fault) => `${operation} ${fault}`), story: told(sent, received) };
  }

  async #wire({ what, text, unfinished }: WireRequest): Promise<Verdict> {
    const { url } = this.#options.engine;
    const token = this.#options.tokens[0];
    const auth = token ? `Authorization: Bearer ${token}\r\n` : "";
    const bytes = Buffer.from(text.replaceAll("{host}", new URL(url).host).replaceAll("{auth}", auth), "latin1");
    try {
      const replies = parseReplies(await exchange(url, bytes, unfinished));
      for (const { status } of replies) count(this.statuses, status);
      const faults = replies.flatMap((reply) => this.#judge.wireFaults(reply));
      const silent = replies.length === 0 && !unfinished ? ["has no reply"] : [];
      return { faults: [...faults, ...silent].map((fault) => `${what}: ${fault}`), story: `${what}\n${JSON.stringify(replies)}` };
    } catch (error) {
      return { faults: [`${what}: ${(error as Error).message}`], story: what };
    }
  }

  #authorization(index: number): Readonly<Record<string, string>> {
    const token = this.#options.tokens[index % this.#options.tokens.length] ?? null;
    return token === null ? {} : { authorization: `Bearer ${token}` };
  }

  #learn(operation: string, { text, headers }: Received): void {
    this.#pool.learn(operation, text === "" ? null : JSON.parse(text), headers);
  }

  /** That nothing changed but by what succeeded. */
  async #compare(): Promise<void> {
    const before = this.#look;
    if (before === null) return;
    const after = await this.#watch.look(before.seq);
    for (const fault of changeFaults(before, after, (id) => this.#refused.get(id))) this.#note(`store: ${fault}`, "", true);
    this.#look = after;
    this.#refused.clear();
  }

  #note(fault: string, example: string, smaller: boolean): void {
    const known = this.findings.get(fault);
    if (known === undefined) this.findings.set(fault, { fault, times: 1, example });
    else {
      known.times++;
      if (smaller) known.example = example;
    }
  }
}

function count(counts: Map<number, number>, status: number): void {
  counts.set(status, (counts.get(status) ?? 0) + 1);
}

/** Enough to send it again by hand. */
function told({ method, target, headers, body }: Sent, received: Received | string): string {
  const lines = Object.entries(headers).filter(([name]) => name !== "authorization" && name !== "x-request-id");
  const head = [`${method} ${cut(target)}`, ...lines.map(([name, value]) => `${name}: ${cut(value)}`)].join("\n");
  const reply = typeof received === "string" ? received : `${received.status} ${cut(received.text)}`;
  return `${head}\n\n${cut(body?.toString("utf8") ?? "")}\n→ ${reply}`;
}

function cut(text: string): string {
  return text.length > 600 ? `${text.slice(0, 600)}… (${text.length})` : text;
}
