import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { replyCode, storeError } from "./redis-errors.ts";
import type { RedisLink } from "./redis-link.ts";
import { RedisLinks } from "./redis-links.ts";
import type { Command, RedisServers } from "./redis-servers.ts";
import type { RedisAddress, RedisTarget } from "./redis-url.ts";

const SLOTS = 16_384;

/** Finds the cluster by one of the given addresses and opens links to each primary. */
export async function openCluster(target: RedisTarget): Promise<RedisServers> {
  const cluster = new RedisCluster(target);
  try {
    await cluster.open();
    return cluster;
  } catch (error) {
    cluster.close();
    throw error;
  }
}

/**
 * The primaries of a Redis Cluster. A partition's keys share a hash tag and so a slot; a slot has one primary. Only what a server
 * says that it did not do (`MOVED`, `ASK`) is sent again, to the server that it names.
 */
class RedisCluster implements RedisServers {
  readonly #target: RedisTarget;
  readonly #links = new Map<string, RedisLinks>();
  #slots: readonly (RedisLinks | undefined)[] = [];
  #refreshing: Promise<void> | null = null;
  #closed = false;

  constructor(target: RedisTarget) {
    this.#target = target;
  }

  get primaries(): readonly RedisLink[] {
    return [...this.#used].map(({ first }) => first);
  }

  async open(): Promise<void> {
    await this.refresh();
    await Promise.all([...this.#used].map((links) => links.connected()));
  }

  async send(tag: string, command: Command, bytes = false): Promise<unknown> {
    const slot = slotOf(tag);
    for (let hop = 0; ; hop++) {
      const link = this.#slots[slot]?.of(tag);
      if (link === undefined) throw uncovered();
      try {
        return await link.send(command, bytes);
      } catch (error) {
        const moved = redirection(error, link.address);
        if (moved === null || hop >= LIMITS.storeRedirects) throw error;
        const other = this.#linksTo(moved.to);
        if (moved.forGood) this.#move(slot, other);
        else return other.of(tag).sendAsking(command, bytes);
      }
    }
  }

  /** Asks one server after another for the layout, until one answers. Those that ask at once share the answer. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  close(): void {
    this.#closed = true;
    for (const links of this.#links.values()) links.close();
  }

  get #used(): ReadonlySet<RedisLinks> {
    return new Set(this.#slots.filter((links) => links !== undefined));
  }

  async #refresh(): Promise<void> {
    let problem: unknown = uncovered();
    for (const link of this.#toAsk()) {
      try {
        this.#adopt(layoutOf(await link.send(["CLUSTER", "SLOTS"]), link.address));
        return;
      } catch (error) {
        problem = error;
      }
    }
    throw problem;
  }

  /** Those that are connected; only then are the given addresses tried, which may be other names of the same servers. */
  *#toAsk(): Generator<RedisLink> {
    yield* [...this.#links.values()].map(({ first }) => first).filter((link) => link.isConnected);
    for (const address of this.#target.addresses) yield this.#linksTo(address).first;
  }

  #adopt(layout: readonly Range[]): void {
    const slots = new Array<RedisLinks | undefined>(SLOTS).fill(undefined);
    for (const { first, last, primary } of layout) slots.fill(this.#linksTo(primary), first, last + 1);
    this.#slots = slots;
    const used = this.#used;
    for (const [name, links] of this.#links) {
      if (used.has(links)) continue;
      this.#links.delete(name);
      links.close();
    }
  }

  #move(slot: number, links: RedisLinks): void {
    const slots = [...this.#slots];
    slots[slot] = links;
    this.#slots = slots;
    this.refresh().catch(() => {}); // Where one slot moved others may have; whoever meets one is told so too.
  }

  #linksTo(address: RedisAddress): RedisLinks {
    const name = `${address.host} ${address.port}`;
    let links = this.#links.get(name);
    if (links === undefined) {
      // Who looks at the layout may still be under way: nobody would ever close what it opens now.
      if (this.#closed) throw new AppError("shutting_down", { reason: "The store is closed." });
      links = new RedisLinks(this.#target, address);
      links.openLater();
      this.#links.set(name, links);
    }
    return links;
  }
}

interface Range {
  readonly first: number;
  readonly last: number;
  readonly primary: RedisAddress;
}

/** What `CLUSTER SLOTS` says: first slot, last slot, primary, replicas. A server that does not know its own name leaves it out. */
function layoutOf(reply: unknown, asked: RedisAddress): readonly Range[] {
  return (reply as [number, number, [string | null, number]][]).map(([first, last, [host, port]]) => ({
    first,
    last,
    primary: { host: host === null || host === "" || host === "?" ? asked.host : host, port },
  }));
}

/** Where a server says that the slot is. */
function redirection(error: unknown, asked: RedisAddress): { readonly to: RedisAddress; readonly forGood: boolean } | null {
  const code = replyCode(error);
  if (code !== "MOVED" && code !== "ASK") return null;
  const [, host, port] = /^[A-Z]+ \d+ (.*):(\d+)$/.exec((error as Error).message) ?? [];
  if (host === undefined) return null;
  return { to: { host: host === "" ? asked.host : host, port: Number(port) }, forGood: code === "MOVED" };
}

function uncovered(): AppError {
  return new AppError("store_unavailable", {
    reason: "The Redis cluster has no server for some of its slots.",
    fix: "Look at CLUSTER INFO, and bring the missing server back.",
  });
}

/** @throws AppError in the operator's words */
export function explainedCluster(error: unknown): AppError {
  if (/cluster support disabled/i.test(String(error))) {
    return new AppError("store_unavailable", {
      reason: "STORE_URL says redis+cluster:, and this Redis server is not part of a cluster.",
      fix: "Write redis: (or rediss:) for a single server.",
      cause: error,
    });
  }
  return storeError(error);
}

/** The slot of a hash tag: CRC16 (XMODEM) of its bytes, as the Redis Cluster specification has it. */
export function slotOf(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc % SLOTS;
}
