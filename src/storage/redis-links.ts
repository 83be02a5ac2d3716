import { LIMITS } from "../limits.ts";
import { laneOf } from "./lanes.ts";
import { isReplica } from "./redis-connection.ts";
import { RedisLink } from "./redis-link.ts";
import type { RedisAddress, RedisTarget } from "./redis-url.ts";

/**
 * The links to one server, each partition on one of them. Between two syncs of its log Redis reads but once from a connection, and then not
 * more than some commits: those that come over several connections share a sync.
 */
export class RedisLinks {
  /** For what is asked of the server itself. */
  readonly first: RedisLink;
  readonly #all: readonly RedisLink[];

  constructor(target: RedisTarget, address: RedisAddress) {
    // Whoever finds the server again says so: the others would find it out later, each in its turn.
    const found = async () => {
      for (const link of this.#all) link.hurry();
    };
    this.first = new RedisLink(target, address, found);
    this.#all = [this.first, ...Array.from({ length: LIMITS.redisWriters - 1 }, () => new RedisLink(target, address, found))];
  }

  /** The way of what has this hash tag. */
  of(tag: string): RedisLink {
    return this.#all[laneOf(tag, this.#all.length)] ?? this.first;
  }

  /** The first connections. Throws, and leaves none behind, where one is not to be had. */
  async open(): Promise<void> {
    try {
      await Promise.all(this.#all.map((link) => link.open()));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Opens in the background: for a server that others say is there. */
  openLater(): void {
    for (const link of this.#all) link.openLater();
  }

  /** Resolves when each has been connected. Throws where one is not in time. */
  async connected(): Promise<void> {
    await Promise.all(this.#all.map((link) => (link.isConnected ? undefined : link.send(["PING"]))));
  }

  /** Gives the connections up where the server has become a replica: it keeps them, and answers reads with what it was sent so far. */
  async leaveReplica(): Promise<void> {
    const link = this.#all.find(({ isConnected }) => isConnected);
    if (link !== undefined && isReplica(await link.send(["ROLE"]))) for (const each of this.#all) each.renew();
  }

  close(): void {
    for (const link of this.#all) link.close();
  }
}
