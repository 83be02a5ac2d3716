import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type RedisArgs, RedisConnection } from "./redis-connection.ts";
import { storeError } from "./redis-errors.ts";
import type { RedisAddress, RedisTarget } from "./redis-url.ts";

/** What is to be done with each new connection before it is used, for example subscribing. */
type SetUp = (connection: RedisConnection) => Promise<void>;

/**
 * The way to one server: a connection, and another one whenever that breaks. What was on its way when it broke is rejected, never sent
 * again. What comes while there is none waits a moment for the next, and is then refused without having been sent.
 */
export class RedisLink {
  readonly address: RedisAddress;
  readonly #target: RedisTarget;
  readonly #setUp: SetUp;
  #connection: RedisConnection | null = null;
  /** The connection that is tried for, where there is none. */
  #trying: Promise<RedisConnection | undefined> | null = null;
  /** What those wait for who come while there is no connection: undefined, at once, where that has taken too long already. */
  #next: Promise<RedisConnection | undefined> = Promise.resolve(undefined);
  #waiting = 0;
  #problem: unknown = undefined;
  #isClosed = false;
  #endPause: () => void = () => {};
  /** When the connection came, and when the one before it was lost, by `performance.now()`; 0 where there was none. */
  #connectedAt = 0;
  #lostAt = 0;
  /** Called with each connection that takes the place of one that broke. */
  onMended: () => void = () => {};

  constructor(target: RedisTarget, address: RedisAddress, setUp: SetUp = async () => {}) {
    this.#target = target;
    this.address = address;
    this.#setUp = setUp;
  }

  /** The first connection. Throws where there is none to be had; a link that has once been opened mends itself. */
  async open(): Promise<void> {
    this.#use(await this.#connect());
  }

  /** Opens in the background: for a server that others say is there. */
  openLater(): void {
    this.#reconnect(undefined);
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  /** Whether its newest connection came after the other lost its own. */
  isNewerThan(other: RedisLink): boolean {
    return this.#connectedAt > other.#lostAt;
  }

  /**
   * Sends a command, whose words may be made at the very moment of sending. Rejects with the server's own error, which `isAnswer`
   * tells from a connection that broke (nobody knows what became of the command), or with an `AppError` where it was not sent at all.
   */
  async send(args: RedisArgs | (() => RedisArgs), bytes = false): Promise<unknown> {
    // Without waiting where there is a connection, so that commands go out in the order in which they came.
    const connection = this.#connection ?? (await this.#nextConnection());
    return connection.send(typeof args === "function" ? args() : args, bytes);
  }

  /** As `send`, for a slot that is moving: only with this word before it does the server that will have it take the command. */
  async sendAsking(args: RedisArgs | (() => RedisArgs), bytes: boolean): Promise<unknown> {
    const connection = this.#connection ?? (await this.#nextConnection());
    const asking = connection.send(["ASKING"]);
    const [, reply] = await Promise.all([asking, connection.send(typeof args === "function" ? args() : args, bytes)]);
    return reply;
  }

  /** Where there is no connection it is tried for at once, and waited for anew: another link to the server has one again. */
  hurry(): void {
    if (this.#connection !== null || this.#trying === null) return;
    this.#expect(this.#trying);
    this.#endPause();
  }

  /** Gives up the connection, which seems to be of no use, for another one. */
  renew(): void {
    this.#connection?.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#endPause();
    this.#connection?.close();
  }

  async #connect(): Promise<RedisConnection> {
    const connection = await RedisConnection.open(this.#target, this.address);
    try {
      await this.#setUp(connection);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  #use(connection: RedisConnection): void {
    if (this.#isClosed) {
      connection.close();
      return;
    }
    this.#connection = connection;
    this.#connectedAt = performance.now();
    void connection.lost.then((cause) => {
      this.#connection = null;
      this.#lostAt = performance.now();
      if (!this.#isClosed) this.#reconnect(cause);
    });
  }

  #reconnect(cause: unknown): void {
    this.#problem = cause ?? this.#problem;
    this.#trying = this.#keepTrying();
    this.#expect(this.#trying);
  }

  #expect(next: Promise<RedisConnection | undefined>): void {
    const tooLong = new Promise<undefined>((resolve) => void setTimeout(() => resolve(undefined), LIMITS.storeReconnectMs).unref());
    this.#next = Promise.race([next, tooLong]);
  }

  /** Tries again and again, after pauses that grow and differ, so that many engines do not come all at once. */
  async #keepTrying(): Promise<RedisConnection | undefined> {
    for (let attempt = 0; ; attempt++) {
      const most = Math.min(LIMITS.storeRetryMs * 2 ** attempt, LIMITS.storeRetryMaxMs);
      await this.#pause(most * (0.5 + Math.random() / 2));
      if (this.#isClosed) return undefined;
      try {
        const connection = await this.#connect();
        this.#use(connection);
        if (this.#lostAt > 0) this.onMended();
        return connection;
      } catch (error) {
        this.#problem = error;
      }
    }
  }

  /** Ends early where `#endPause` says so. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #nextConnection(): Promise<RedisConnection> {
    if (this.#waiting >= LIMITS.queuedWriters) throw new AppError("overloaded", { reason: "Too many requests are waiting for the store." });
    this.#waiting++;
    const connection = await this.#next;
    this.#waiting--;
    if (connection === undefined) throw storeError(this.#problem ?? new Error("not connected"));
    return connection;
  }
}
