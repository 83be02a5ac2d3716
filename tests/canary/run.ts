import { expect } from "vitest";
import { exchange } from "../fuzz/connection.ts";
import { type RawDocument, Reference } from "../fuzz/document.ts";
import { Engine, type Members, type Method, type Reply } from "../support/engine.ts";
import { Canaries, type Sighting } from "./canaries.ts";
import { Outside } from "./outside.ts";

type Headers = Record<string, string>;

export interface Ask {
  readonly method: Method;
  readonly path: string;
  /** `undefined` for none; text and bytes go as they are. */
  readonly body?: unknown;
  readonly headers?: Headers;
}

/** Whose replies hold secrets, since that is what they are for. */
const REVEALING: ReadonlySet<string> = new Set(["getRuntime", "revealSecrets"]);

/** Which show a webhook's address, to whoever administers it. */
const SHOWING_ADDRESSES: ReadonlySet<string> = new Set(["createWebhook", "listWebhooks", "getWebhook", "patchWebhook", "rotateWebhook"]);

/**
 * An engine to which secrets are sent by every way that takes one. Each reply is looked through as it comes, for all canaries that there
 * are by then; files and output are whenever the run says so.
 */
export class Run {
  readonly canaries = new Canaries();
  /** Of addresses of webhooks, the parts that may be credentials: stored as they are, and shown to few. */
  readonly addresses = new Canaries();
  readonly outside: Outside;
  readonly engine: Engine;
  /** Where canaries were found. There should be none. */
  readonly sightings: Sighting[] = [];
  /** Operations that were asked for. */
  readonly asked = new Set<string>();
  /** Canaries that the two routes gave whose replies are made to hold them. */
  readonly revealed = new Set<string>();
  readonly #root = this.canaries.mint("the root token", (core) => `root-${core}`);
  #reference: Reference | null = null;

  private constructor(outside: Outside) {
    this.outside = outside;
    const family = `http://engine:${this.canaries.mint("the password at the other engines")}@${outside.host}`;
    const siblings = ["VALIDATION_URL", "LOGS_URL", "DEPLOYMENT_URL", "BUILDER_URL", "FEEDBACK_URL"].map((name) => [name, family]);
    // The root token is given as a setting, so that a request can go without it.
    const access = { ENV_MANAGER_AUTH: "on", ENV_MANAGER_ADMIN_TOKEN: this.#root };
    this.engine = new Engine({
      env: { LOG_LEVEL: "trace", WEBHOOK_ALLOW: "127.0.0.1", GIT_ALLOW: "127.0.0.1", ...access, ...Object.fromEntries(siblings) },
    });
  }

  static async open(): Promise<Run> {
    return new Run(await new Outside().start()).start();
  }

  async start(): Promise<this> {
    await this.engine.start();
    this.#reference ??= new Reference((await this.engine.get<RawDocument>("/openapi.json")).body);
    return this;
  }

  async close(): Promise<void> {
    this.outside.close();
    await this.engine.dispose();
  }

  get reference(): Reference {
    if (this.#reference === null) throw new Error("the engine has not been started");
    return this.#reference;
  }

  mint(name: string, around?: (core: string) => string): string {
    return this.canaries.mint(name, around);
  }

  /** Something that succeeds. */
  async done<Body = Members>(method: Method, path: string, body?: unknown, headers?: Headers): Promise<Body> {
    const reply = await this.ask<Body>({ method, path, body, ...(headers && { headers }) });
    expect(reply.status, `${method} ${path}: ${reply.text}`).toBeLessThan(400);
    return reply.body;
  }

  /** Something that is refused, with this code. */
  async refused(code: string, method: Method, path: string, body?: unknown, headers?: Headers): Promise<void> {
    const reply = await this.ask<{ readonly code?: unknown }>({ method, path, body, ...(headers && { headers }) });
    expect(reply.body?.code, `${method} ${path}: ${reply.status} ${reply.text}`).toBe(code);
  }

  /**
   * As root, where `headers` do not say otherwise; with an empty `authorization`, as nobody.
   * @param shown canaries that this one reply may show
   */
  async ask<Body = Members>({ method, path, body, headers = {} }: Ask, shown: readonly string[] = []): Promise<Reply<Body>> {
    const { authorization = `Bearer ${this.#root}`, ...others } = headers;
    const reply = await this.engine.request<Body>(method, path, body, authorization === "" ? others : { ...others, authorization });
    const operation = this.reference.target(method, path).operation?.operationId ?? "none";
    this.asked.add(operation);
    const place = `the reply to ${method} ${path.slice(0, 80)} (${operation}, ${reply.status})`;
    // An error shows none, on whatever route.
    if (!REVEALING.has(operation) || reply.status >= 400) this.look(place, reply.text, shown);
    else for (const { canary } of this.canaries.find(place, reply.text)) this.revealed.add(canary);
    if (!SHOWING_ADDRESSES.has(operation)) this.sightings.push(...this.addresses.find(place, reply.text));
    this.look(`${place}, its headers`, JSON.stringify(reply.headers), shown);
    return reply;
  }

  /** What no HTTP library sends. */
  async wire(what: string, text: string): Promise<void> {
    this.look(`the reply to ${what}`, await exchange(this.engine.url, Buffer.from(text, "latin1"), false));
  }

  look(place: string, content: string | Buffer, shown: readonly string[] = []): void {
    this.sightings.push(...this.canaries.find(place, content, shown));
  }

  /** Whatever the engine has written so far: its files as they are on the disk now, and all that it printed. */
  lookAround(when: string): void {
    this.sightings.push(...this.canaries.findInFiles(`files ${when}`, this.engine.directory));
    const output = this.engine.output();
    expect(output.split("\n").length, "lines of output, of which no more are kept").toBeLessThan(20_000);
    this.look(`output ${when}`, output);
    this.sightings.push(...this.addresses.find(`output ${when}`, output));
    this.look(`what others were told ${when}`, this.outside.told);
  }
}
