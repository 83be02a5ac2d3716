import { randomUUID } from "node:crypto";
import type pg from "pg";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { Backoff } from "./backoff.ts";
import { destroy } from "./postgres-connections.ts";
import { isAnswer, NoConnection } from "./postgres-errors.ts";

interface ListenerParts {
  /** Makes a connection to the server itself: a pooler would give it to others. */
  connect(): Promise<pg.Client>;
  readonly channel: string;
  /** Tells whoever listens, over a connection of those that commit. */
  tell(channel: string, payload: string): Promise<void>;
  onRevisions(revisions: ReadonlyMap<string, number>): void;
  /** The connection was lost and made again: what was told in between was missed. */
  onGap(): void;
  /** From now on it hears nothing, until `onGap`. */
  onDeaf(error: AppError): void;
}

/** The connection that tells other engines of commits, and hears of theirs. */
export class PostgresListener {
  readonly #parts: ListenerParts;
  readonly #backoff = new Backoff();
  readonly #closing = new AbortController();
  readonly #untold = new Map<string, number>();
  #client: pg.Client | null = null;
  #telling: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #connecting: Promise<void> | null = null;
  #checking: Promise<void> | null = null;
  #notices = 0;
  #isDeaf = false;
  #closed = false;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
  }

  /** Statements with notifications, sent since the start. */
  get notices(): number {
    return this.#notices;
  }

  /** Resolves when it hears. @throws where the server cannot be reached, and AppError `store_unavailable` where it hears nothing */
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

  /** Looks whether the connection still hears, and makes another one where it does not: a pooler may have been set to another mode. Never throws. */
  check(): void {
    const client = this.#client;
    if (client === null || this.#closed) return;
    this.#checking ??= this.#mustHear(client)
      .catch((error: unknown) => {
        if (this.#client === client) this.#tellDeaf(error);
        this.#lost(client);
      })
      .finally(() => {
        this.#checking = null;
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
    this.#closing.abort();
    await this.#connecting?.catch(() => {});
    await this.#checking;
    await this.#client?.end().catch(() => {});
    this.#client = null;
  }

  async #listen(): Promise<void> {
    const client = await this.#parts.connect();
    try {
      client.on("notification", ({ payload }) => this.#heard(payload ?? ""));
      await client.query(`LISTEN "${this.#parts.channel}"`);
      await this.#mustHear(client);
    } catch (error) {
      destroy(client);
      throw error;
    }
    if (this.#closed) return destroy(client);
    this.#client = client;
    client.once("error", () => this.#lost(client));
    client.once("end", () => this.#lost(client));
  }

  /**
   * A pooler that gives each transaction another connection takes `LISTEN` and passes nothing on. What the listening connection itself tells comes
   * back even then, so that another one tells this.
   */
  async #mustHear(client: pg.Client): Promise<void> {
    const sign = `hears-${randomUUID()}`;
    const over = new AbortController();
    const heard = new Promise<void>((resolve, reject) => {
      const listen = ({ payload }: pg.Notification) => void (payload === sign && resolve());
      const lose = () => reject(new NoConnection("lost while it was to hear"));
      const timer = setTimeout(() => reject(deaf()), LIMITS.postgresHearMs);
      client.on("notification", listen).once("end", lose);
      this.#closing.signal.addEventListener("abort", () => resolve(), { signal: over.signal });
      over.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        client.off("notification", listen).off("end", lose);
      });
    });
    heard.catch(() => {}); // It may come before the notification is on its way.
    try {
      await this.#parts.tell(this.#parts.channel, sign);
      await heard;
    } catch (error) {
      // A server that takes no notification now says nothing about the connection.
      if (!isAnswer(error)) throw error;
    } finally {
      over.abort();
    }
  }

  #tellDeaf(error: unknown): void {
    if (!(error instanceof AppError) || this.#isDeaf || this.#closed) return;
    this.#isDeaf = true;
    this.#parts.onDeaf(error);
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
          this.#isDeaf = false;
          this.#parts.onGap();
          this.tell(new Map());
        },
        (error: unknown) => {
          this.#tellDeaf(error);
          this.#reconnect();
        },
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
        await notify(client, this.#parts.channel, payloadsOf(revisions));
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

/** A notification alone need not reach the disk: it is as gone as those who listen when the server stops. */
export async function notify(client: pg.Client, channel: string, payloads: readonly string[]): Promise<void> {
  await client.query(
    "SELECT set_config('synchronous_commit', 'off', true), count(pg_notify($1, payload)) FROM unnest($2::text[]) AS payload",
    [channel, payloads],
  );
}

function deaf(): AppError {
  return new AppError("store_unavailable", {
    reason:
      "The connection to PostgreSQL that listens hears nothing of what is told on the database: it goes through a pooler that gives each transaction another connection, or the option listen names another server.",
    fix: "Name the server itself, behind the pooler, in STORE_URL: ?listen=db.internal:5432. Or let the pooler give each client its own connection (PgBouncer: pool_mode=session).",
  });
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
