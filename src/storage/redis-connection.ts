import { isIP } from "node:net";
import { createClient, RESP_TYPES, SimpleError } from "redis";
import { LIMITS } from "../limits.ts";
import { isWrongServer } from "./redis-errors.ts";
import type { RedisAddress, RedisTarget } from "./redis-url.ts";

export type RedisArgs = (string | Buffer)[];

/** Never connected. Every client is its duplicate: the driver would make a class with all of its commands for each address, which takes milliseconds. */
const PATTERN = createClient();
type RedisClient = ReturnType<typeof PATTERN.duplicate>;

/** What a reply's text comes as: bytes for objects and hashes. */
const AS_BYTES = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } } as const;

/**
 * One connection, from its beginning to its end. It never comes back and sends nothing twice: the driver's own queue and reconnecting
 * are off, so that what was sent on it is either answered or lost with it.
 */
export class RedisConnection {
  /** Resolves, with the cause where there is one, once the connection is of no more use. */
  readonly lost: Promise<unknown>;
  readonly #client: RedisClient;
  readonly #replyMs: number;
  #waiting = 0;
  #patience: NodeJS.Timeout | undefined;

  private constructor(client: RedisClient, lost: Promise<unknown>, replyMs: number) {
    this.#client = client;
    this.#replyMs = replyMs;
    this.lost = lost;
    void lost.then(() => clearTimeout(this.#patience));
  }

  /** Connects and makes sure that this is a primary. Rejects, and leaves nothing behind, where that fails or takes too long. */
  static async open(target: RedisTarget, address: RedisAddress): Promise<RedisConnection> {
    const client = clientFor(target, address);
    const lost = new Promise<unknown>((resolve) => {
      client.on("error", resolve);
      client.on("end", () => resolve(undefined));
    });
    const connection = new RedisConnection(client, lost, target.replyMs);
    const tooLong = setTimeout(() => connection.close(), LIMITS.connectMs);
    try {
      await client.connect();
      await connection.#mustBePrimary();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      clearTimeout(tooLong);
    }
  }

  /** Sends a command now; those sent in one turn travel together. Text in the reply is UTF-8, or bytes where asked for. */
  async send(args: RedisArgs, bytes = false): Promise<unknown> {
    try {
      return await this.#patiently(this.#client.sendCommand(args, bytes ? AS_BYTES : undefined));
    } catch (error) {
      // A server that became a replica keeps its clients: elsewhere there may be a primary.
      if (isWrongServer(error)) this.close();
      throw error;
    }
  }

  async subscribe(channel: string, hear: (message: string) => void): Promise<void> {
    await this.#patiently(this.#client.subscribe(channel, hear));
  }

  /** Ends at once: whatever was not answered is rejected. */
  close(): void {
    if (this.#client.isOpen) this.#client.destroy();
  }

  /** Gives the connection up where answers are owed and none has come for too long: half-open, nobody would ever say so. */
  async #patiently<Reply>(answer: Promise<Reply>): Promise<Reply> {
    if (this.#waiting++ === 0) this.#patience = setTimeout(() => this.close(), this.#replyMs);
    try {
      return await answer;
    } finally {
      if (--this.#waiting === 0) clearTimeout(this.#patience);
      else this.#patience?.refresh();
    }
  }

  async #mustBePrimary(): Promise<void> {
    const role = await this.send(["ROLE"]).catch(ignoreUnlessWrongServer);
    if (isReplica(role)) throw new SimpleError("READONLY It says that it is a replica.");
  }
}

/** By what `ROLE` answers. */
export function isReplica(role: unknown): boolean {
  return Array.isArray(role) && role[0] === "slave";
}

/** A managed Redis may keep ROLE to itself; a replica then shows at the first write. */
function ignoreUnlessWrongServer(error: unknown): void {
  if (isWrongServer(error)) throw error;
}

function clientFor(target: RedisTarget, { host, port }: RedisAddress): RedisClient {
  const socket = { host, port, connectTimeout: LIMITS.connectMs, reconnectStrategy: false as const };
  const tls = { tls: true as const, ...(isIP(host) === 0 && { servername: host }) };
  return PATTERN.duplicate({
    socket: target.tls ? { ...socket, ...tls } : socket,
    ...(target.username !== undefined && { username: target.username }),
    ...(target.password !== undefined && { password: target.password }),
    database: target.database,
    disableOfflineQueue: true,
    name: "environment-manager",
  });
}
