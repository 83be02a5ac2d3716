import type pg from "pg";
import { LIMITS } from "../limits.ts";
import { Backoff } from "./backoff.ts";
import { destroy } from "./postgres-connections.ts";

export interface ListenerParts {
  /** Makes a connection to the server itself: a pooler would give it to others. */
  connect(): Promise<pg.Client>;
  readonly channel: string;
  onRevisions(revisions: ReadonlyMap<string, number>): void;
  /** The connection was lost and made again: what was told in between was missed. */
  onGap(): void;
}

/** The connection that tells other engines of commits, and hears of theirs. */
export class PostgresListener {
  readonly #parts: ListenerParts;
  readonly #backoff = new Backoff();
  readonly #untold = new Map<string, number>();
  #client: pg.Client | null = null;
  #telling: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #connecting: Promise<void> | null = null;
  #notices = 0;
  #closed = false;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
  }

  /** Statements with notifications, sent since the start. */
  get notices(): number {
    return this.#notices;
  }

  /** Resolves when it hears. @throws where the server cannot be reached */
  start(): Promise<void> {
    return this.#listen();
  }

  /** Tells other engines soon. While a notification is under way, what comes is collected for the next. */
  tell(revisions: ReadonlyMap<string, number>): void {
    for (const [partition, revision] of revisions) {
      if (this.#untold.size < LIMITS.cachedPartitions || this.#untold.has(partition)) this.#untold.set(partition, revision);
    }
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = null;
    });
  }

  /**
   * Runs a query on the connection: where it is answered, everything that was told before has been heard.
   * Without a connection it answers `null`.
   */
  async ask<Row extends pg.QueryResultRow>(text: string): Promise<Row | null> {
    const client = this.#client;
    if (client === null) return null;
    try {
      return (await client.query<Row>(text)).rows[0] ?? null;
    } catch {
      this.#lost(client);
      return null;
    }
  }

  async close(): Promise<void> {
    await this.#telling;
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#connecting?.catch(() => {});
    await this.#client?.end().catch(() => {});
    this.#client = null;
  }

  async #listen(): Promise<void> {
    const client = await this.#parts.connect();
    try {
      client.on("notification", ({ payload }) => this.#heard(payload ?? ""));
      await client.query(`LISTEN "${this.#parts.channel}"`);
    } catch (error) {
      destroy(client);
      throw error;
    }
    if (this.#closed) return destroy(client);
    this.#client = client;
    client.once("error", () => this.#lost(client));
    client.once("end", () => this.#lost(client));
  }

  #lost(client: pg.Client): void {
    destroy(client);
    if (this.#client !== client) return;
    this.#client = null;
    this.#reconnect();
  }

  #reconnect(): void {
    if (this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#connecting = this.#listen().then(
        () => {
          this.#backoff.reset();
          if (this.#closed) return;
          this.#parts.onGap();
          this.tell(new Map());
        },
        () => this.#reconnect(),
      );
    }, this.#backoff.next());
    this.#retry.unref();
  }

  async #tellAll(): Promise<void> {
    while (this.#untold.size > 0) {
      const client = this.#client;
      // Told once there is a connection again.
      if (client === null) return;
      const revisions = new Map(this.#untold);
      this.#untold.clear();
      try {
        this.#notices++;
        // A notification alone need not reach the disk: it is as gone as those who listen when the server stops.
        await client.query(
          "SELECT set_config('synchronous_commit', 'off', true), count(pg_notify($1, payload)) FROM unnest($2::text[]) AS payload",
          [this.#parts.channel, payloadsOf(revisions)],
        );
      } catch {
        for (const [partition, revision] of revisions) if (!this.#untold.has(partition)) this.#untold.set(partition, revision);
        this.#lost(client);
      }
    }
  }

  #heard(payload: string): void {
    const revisions = new Map<string, number>();
    for (const line of payload.split("\n")) {
      const [, partition, revision] = /^(\S+) (\d+)$/.exec(line) ?? [];
      if (partition !== undefined) revisions.set(partition, Number(revision));
    }
    this.#parts.onRevisions(revisions);
  }
}

/** Lines `<partition> <revision>`, as many in one payload as PostgreSQL takes. Names and numbers are ASCII. */
function payloadsOf(revisions: ReadonlyMap<string, number>): readonly string[] {
  const payloads: string[] = [];
  let payload = "";
  for (const [partition, revision] of revisions) {
    const line = `${partition} ${revision}\n`;
    if (payload.length + line.length > LIMITS.notifyBytes) {
      payloads.push(payload);
      payload = "";
    }
    payload += line;
  }
  return [...payloads, payload];
}
