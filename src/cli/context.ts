import { type Client, createClient } from "../sdk/client.ts";
import { EnvmError } from "../sdk/errors.ts";
import type { CallOptions, Fetch } from "../sdk/index.ts";
import { BOUNDS } from "./bounds.ts";
import { usage } from "./failure.ts";
import { Output, type Page } from "./output.ts";
import { patient } from "./patience.ts";
import { Progress, watchedFetch } from "./progress.ts";
import { Prompts } from "./prompts.ts";
import { needed, readSettings, type Settings } from "./settings.ts";
import { ShortNames } from "./short-names.ts";
import { readValue } from "./values.ts";

/** What every command takes. */
export interface CommonOptions {
  readonly project?: string;
  readonly env?: string;
  readonly url?: string;
  readonly token?: string;
  readonly json?: boolean;
  readonly plain?: boolean;
  readonly silent?: boolean;
  readonly interactive?: boolean;
  readonly yes?: boolean;
}

interface ClientWishes {
  readonly url?: string;
  readonly token?: string;
  readonly fetch?: Fetch;
  readonly timeoutMs?: number;
  readonly pictured?: boolean;
}

/** One command as it is carried out: what was typed, where the engine is, and how to talk to whoever typed it. */
export class Context {
  readonly options: CommonOptions;
  readonly output: Output;
  readonly prompts: Prompts;
  #settings: Settings | null = null;
  #client: Client | null = null;
  readonly #names = new ShortNames((name) => this.#exists(name));

  constructor(options: CommonOptions) {
    this.options = options;
    this.output = new Output(options);
    this.prompts = new Prompts(this.output, { interactive: options.interactive !== false });
  }

  get settings(): Settings {
    this.#settings ??= readSettings(this.options);
    return this.#settings;
  }

  get client(): Client {
    this.#client ??= this.newClient();
    return this.#client;
  }

  /** @param pictured whoever waits sees what is under way, and need not be told that it waits */
  newClient({ pictured = false, ...options }: ClientWishes = {}): Client {
    const { url, token } = this.settings;
    const client = createClient({ url, ...(token !== null && { token }), totalMs: options.timeoutMs ?? BOUNDS.waitMs, ...options });
    return pictured ? client : patient(client, this.output);
  }

  /** A token that is typed as `-` or `@FILE` is read from there, so that it shows in no list of processes. */
  async readToken(): Promise<void> {
    const { token } = this.options;
    if (token !== "-" && !token?.startsWith("@")) return;
    const read = await readValue("the token", token, { prompts: this.prompts, hidden: true });
    this.#settings = readSettings({ ...this.options, token: read.trim() });
  }

  get project(): string {
    return needed("project", this.settings.project);
  }

  /** The environment that is worked on. */
  env(): Promise<string> {
    return this.resolve(needed("env", this.settings.env));
  }

  /** `dev`, `stage` and `prod` stand for the usual names where no environment has that very one. */
  resolve(name: string): Promise<string> {
    return this.#names.resolve(name);
  }

  /** A side of a comparison: `staging`, `staging@v2.3.1`. */
  resolveSide(side: string): Promise<string> {
    return this.#names.resolveSide(side);
  }

  async #exists(env: string): Promise<boolean> {
    try {
      await this.client.getEnvironment({ project: this.project, env });
      return true;
    } catch (error) {
      // Where it ended, or may not be looked at, that is for the command itself to say.
      return !(error instanceof EnvmError && error.code === "environment_not_found");
    }
  }

  /**
   * Before something changes in production, somebody at a terminal types its name. Where nobody can be asked, a change that takes
   * more than it gives (`grave`) has to be said with -y; any other is done as it was typed.
   * @throws Failure
   */
  async confirmProduction(env: string, what: string, { grave = false } = {}): Promise<void> {
    if (this.options.yes || (!grave && !this.prompts.possible)) return;
    const { type } = await this.client.getEnvironment({ project: this.project, env });
    if (type === "production") await this.prompts.typedName(what, env);
  }

  /** @throws Failure where it is not confirmed */
  async confirm(question: string): Promise<void> {
    if (this.options.yes || (await this.prompts.yes(question))) return;
    throw usage("Nothing was changed.");
  }

  /** Long work, with a bar where somebody looks. */
  async watched<Result>(what: string, work: (client: Client) => Promise<Result>): Promise<Result> {
    const progress = new Progress(this.output, what);
    const pictured = this.output.watched;
    const client = this.newClient({ pictured, ...(pictured && { fetch: watchedFetch(progress) }), timeoutMs: BOUNDS.waitLongMs });
    try {
      return await work(client);
    } finally {
      progress.end();
    }
  }
}

/** As many items of a list as are asked for, as one page. */
export async function listed<Request extends object, Item>(
  list: (request: Request, options?: CallOptions) => Promise<Page<Item>>,
  request: Request,
  limit: number,
): Promise<{ items: Item[]; next_cursor: string | null }> {
  const items: Item[] = [];
  for (let cursor: string | null = null; ; ) {
    const wanted = Math.min(limit - items.length, BOUNDS.page);
    const page: Page<Item> = await list({ ...request, limit: wanted, ...(cursor !== null && { cursor }) });
    items.push(...page.items);
    cursor = page.next_cursor;
    if (cursor === null || items.length >= limit) return { items, next_cursor: cursor };
  }
}

/** How many items `--limit` asks for. @throws Failure */
export function limitOf(text: string | undefined, fallback: number = BOUNDS.listed): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= 1 && value <= BOUNDS.listedMax) return value;
  throw usage(`--limit takes a whole number from 1 to ${BOUNDS.listedMax}.`, `For example --limit ${fallback}.`);
}
