import pg from "pg";
import { AppError } from "../errors.ts";
import { isAnswer, NoConnection } from "./postgres-errors.ts";
import type { Address, PostgresPlace } from "./postgres-url.ts";

/** Makes one connection, to a primary. No session state is set on it: a pooler may give each transaction another one. */
export async function connect(place: PostgresPlace, { host, port, tls }: Address): Promise<pg.Client> {
  const client = new pg.Client({
    host,
    port,
    ssl: tls,
    user: place.user,
    password: place.password,
    database: place.database,
    application_name: "environment-manager",
    connectionTimeoutMillis: place.connectMs,
    query_timeout: place.statementMs,
    // Notices a peer that is gone while nothing is under way; what is under way has its time limit.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // Without a listener, the loss of an idle connection would end the process. Whoever uses it next is told.
  client.on("error", () => {});
  try {
    await client.connect();
    await mustBePrimary(client);
    return client;
  } catch (cause) {
    destroy(client);
    throw new NoConnection("no connection", { cause });
  }
}

/** A standby answers reads too, and may be behind: the address may lead to a server that was the primary until it failed. */
async function mustBePrimary(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ standby: boolean }>("SELECT pg_is_in_recovery() AS standby");
  if (rows[0]?.standby === true) throw new Error("a standby");
}

/** Lets go of a connection on which something may still be under way. */
export function destroy(client: pg.Client): void {
  client.end().catch(() => {});
  // `end` asks the server first, and a peer that is gone never answers.
  client.connection.stream.destroy();
}

/** At most `size` connections, made when they are needed and kept. Who finds all of them taken waits in line. */
export class Connections {
  readonly #connect: () => Promise<pg.Client>;
  readonly #size: number;
  readonly #maxWaiting: number;
  readonly #live = new Set<pg.Client>();
  readonly #idle = new Set<pg.Client>();
  readonly #waiting: (() => void)[] = [];
  #taken = 0;
  #closed: (() => void) | null = null;

  constructor(connect: () => Promise<pg.Client>, size: number, maxWaiting: number) {
    this.#connect = connect;
    this.#size = size;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Runs `work` with a connection that nobody else uses meanwhile. Where it fails and the server has not said why, that
   * connection is given up, and so are those that lie idle: what broke the one has probably broken the others.
   * @throws NoConnection where none can be made, `overloaded` where too many wait, and whatever `work` throws
   */
  async use<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
    await this.#turn();
    try {
      const client = this.#takeIdle() ?? (await this.#make());
      try {
        const result = await work(client);
        this.#keep(client);
        return result;
      } catch (error) {
        if (isAnswer(error)) this.#keep(client);
        else this.#giveUp(client);
        throw error;
      }
    } finally {
      this.#passOn();
    }
  }

  /** Waits for those that are in use, and ends all. */
  async close(): Promise<void> {
    if (this.#taken > 0) {
      await new Promise<void>((resolve) => {
        this.#closed = resolve;
      });
    }
    await Promise.all([...this.#idle].map((client) => client.end().catch(() => {})));
  }

  async #turn(): Promise<void> {
    if (this.#taken < this.#size) {
      this.#taken++;
      return;
    }
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new AppError("overloaded", { reason: "Too many requests are waiting for the store." });
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The turn goes to who waits longest, and to nobody in between. */
  #passOn(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next();
    else if (--this.#taken === 0) this.#closed?.();
  }

  /** The one used last: it is the least likely to have been cut off for idling. */
  #takeIdle(): pg.Client | undefined {
    const client = [...this.#idle].at(-1);
    if (client !== undefined) this.#idle.delete(client);
    return client;
  }

  async #make(): Promise<pg.Client> {
    const client = await this.#connect();
    this.#live.add(client);
    const lost = () => {
      this.#live.delete(client);
      this.#idle.delete(client);
    };
    client.once("error", lost);
    client.once("end", lost);
    return client;
  }

  #keep(client: pg.Client): void {
    if (this.#live.has(client)) this.#idle.add(client);
  }

  #giveUp(client: pg.Client): void {
    for (const one of [client, ...this.#idle]) destroy(one);
    this.#idle.clear();
  }
}
