import { LIMITS } from "../limits.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { RedisLink } from "./redis-link.ts";
import type { RedisServers } from "./redis-servers.ts";
import type { RedisTurns } from "./redis-turns.ts";
import type { RedisTarget } from "./redis-url.ts";
import type { Watchers } from "./watchers.ts";

/** One primary's announcements. */
interface Subscription {
  readonly link: RedisLink;
  /** When the probe was sent that has not come back; `null` where all have. */
  probedAt: number | null;
  probe: number;
}

interface RedisFeedParts {
  readonly target: RedisTarget;
  readonly servers: RedisServers;
  readonly watchers: Watchers;
  readonly turns: RedisTurns;
  /** Of commits. */
  readonly channel: string;
  /** Tells this process from others. */
  readonly writer: string;
}

/**
 * What other instances commit, as the commits themselves announce it: a script publishes to the subscribers of its own server, in the order
 * of commits, and nothing reaches a client before it is on disk. So there is one subscription at each primary, on a connection of its
 * own. A message can only be lost with its connection, and a connection that looks well may be dead: probes that are published at the
 * primary and must come back on the subscription tell. Whoever may have missed something is told so (`onGap`).
 */
export class RedisFeed {
  readonly #target: RedisTarget;
  readonly #servers: RedisServers;
  readonly #watchers: Watchers;
  readonly #turns: RedisTurns;
  readonly #channel: string;
  readonly #probes: string;
  readonly #subscriptions = new Map<RedisLink, Subscription>();
  /** Newest revision told of each partition: a commit is heard of by its answer, and from every primary of a cluster. */
  readonly #told = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({ target, servers, watchers, turns, channel, writer }: RedisFeedParts) {
    this.#target = target;
    this.#servers = servers;
    this.#watchers = watchers;
    this.#turns = turns;
    this.#channel = channel;
    this.#probes = `${channel}:probe:${writer}`;
  }

  async open(): Promise<void> {
    await Promise.all(this.#servers.primaries.map((primary) => this.#subscribe(primary, false).open()));
    this.#schedule();
  }

  /** Tells of a commit, unless that or a newer one of the partition was told of. */
  tell(partition: string, revision: number): void {
    if (revision <= (this.#told.get(partition) ?? 0)) return;
    // Forgetting all at once only lets a late message through that says nothing new.
    if (this.#told.size >= LIMITS.cachedPartitions) this.#told.clear();
    this.#told.set(partition, revision);
    this.#watchers.announce(new Map([[partition, revision]]));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { link } of this.#subscriptions.values()) link.close();
  }

  /** @param late whether commits may have been announced there before */
  #subscribe(primary: RedisLink, late: boolean): RedisLink {
    let missed = late;
    const setUp = async (connection: RedisConnection) => {
      subscription.probedAt = null;
      await connection.subscribe(this.#channel, (message) => this.#hear(message));
      await connection.subscribe(this.#turns.channel, (ticket) => this.#turns.called(ticket));
      await connection.subscribe(this.#probes, (message) => {
        if (message === nameOf(primary, subscription.probe)) subscription.probedAt = null;
      });
      if (missed) this.#gap();
      missed = true;
    };
    const subscription: Subscription = { link: new RedisLink(this.#target, primary.address, setUp), probedAt: null, probe: 0 };
    this.#subscriptions.set(primary, subscription);
    // Whatever broke the link may have left the subscription looking well: probes would tell, much later.
    primary.onMended = () => {
      if (subscription.link.isNewerThan(primary)) return;
      if (subscription.link.isConnected) subscription.link.renew();
      else subscription.link.hurry();
    };
    return subscription.link;
  }

  #hear(message: string): void {
    const space = message.lastIndexOf(" ");
    const revision = Number(message.slice(space + 1));
    if (space > 0 && Number.isSafeInteger(revision)) this.tell(message.slice(0, space), revision);
  }

  /** What was told is no bound any more: the server may have come back with less. */
  #gap(): void {
    this.#told.clear();
    this.#watchers.gap();
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#look().finally(() => this.#schedule()), LIMITS.storeProbeMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    await this.#servers.refresh().catch(() => {}); // No server can be reached: the links go on trying.
    if (this.#closed) return;
    this.#follow();
    await Promise.all([...this.#subscriptions].map(([primary, subscription]) => this.#probe(primary, subscription)));
  }

  /** Subscribes at primaries that are new, and leaves those that are none any more. */
  #follow(): void {
    const primaries = new Set(this.#servers.primaries);
    for (const [primary, { link }] of this.#subscriptions) {
      if (primaries.has(primary)) continue;
      this.#subscriptions.delete(primary);
      link.close();
    }
    for (const primary of primaries) {
      if (this.#subscriptions.has(primary)) continue;
      this.#subscribe(primary, true).openLater();
    }
  }

  async #probe(primary: RedisLink, subscription: Subscription): Promise<void> {
    if (!subscription.link.isConnected || !primary.isConnected) return;
    if (subscription.probedAt !== null) {
      if (performance.now() - subscription.probedAt > this.#target.replyMs) subscription.link.renew();
      return;
    }
    subscription.probe++;
    const sentAt = performance.now();
    subscription.probedAt = sentAt;
    try {
      await primary.send(["PUBLISH", this.#probes, nameOf(primary, subscription.probe)]);
    } catch {
      // Not published: nothing can be learned from its absence.
      if (subscription.probedAt === sentAt) subscription.probedAt = null;
    }
  }
}

function nameOf({ address }: RedisLink, probe: number): string {
  return `${address.host} ${address.port} ${probe}`;
}
