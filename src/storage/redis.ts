import { randomBytes } from "node:crypto";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type {
  Backend,
  Change,
  CommitResult,
  Entry,
  Hash,
  Key,
  ObjectInfo,
  Objects,
  Range,
  StoredObject,
  Subscription,
  Turn,
  WatchHandlers,
} from "../ports.ts";
import { DeltaBases, whole } from "./delta-bases.ts";
import { chainFrom, resolveChain } from "./lines.ts";
import type { StoreOptions } from "./open.ts";
import { explainedCluster, openCluster } from "./redis-cluster.ts";
import type { RedisArgs } from "./redis-connection.ts";
import { Doubts } from "./redis-doubts.ts";
import { isAnswer, replyCode, storeError } from "./redis-errors.ts";
import { RedisFeed } from "./redis-feed.ts";
import { SCRIPTS, type Script } from "./redis-scripts.ts";
import { openSingle, type RedisServers } from "./redis-servers.ts";
import { checkServers, SCHEMA_KEY } from "./redis-start.ts";
import { RedisTurns } from "./redis-turns.ts";
import { type RedisTarget, redisTarget } from "./redis-url.ts";
import { commitWords, entryOf, keysOf, lexBounds, linksOf, objectInfos, sizeOf } from "./redis-words.ts";
import { Watchers } from "./watchers.ts";
import { Window } from "./window.ts";

interface RedisOptions extends StoreOptions {
  /** Milliseconds for which a server may owe answers and give none. */
  readonly replyMs?: number;
}

/**
 * Opens the Redis server or cluster that `url` names (see `redisTarget`).
 *
 * Throws `invalid_request` for a URL that cannot be used, `store_unavailable`, with reason and fix, for a server that cannot be reached, is a
 * replica, is too old or holds a newer engine's data, or, where `strict`, may lose what it acknowledged.
 */
export async function openRedis(url: string, options: RedisOptions = {}): Promise<RedisBackend> {
  const target = redisTarget(url, options.replyMs);
  const servers = await openServers(target);
  try {
    const deltas = await checkServers(servers, target, options);
    const backend = new RedisBackend(target, servers, deltas);
    await backend.open();
    return backend;
  } catch (error) {
    servers.close();
    throw storeError(error);
  }
}

async function openServers(target: RedisTarget): Promise<RedisServers> {
  try {
    const [address] = target.addresses;
    return target.cluster || address === undefined ? await openCluster(target) : await openSingle(target, address);
  } catch (error) {
    throw target.cluster ? explainedCluster(error) : storeError(error);
  }
}

/** One Redis server, or a cluster of them, for any number of engines. Each commit is one script, which Redis runs alone and as a whole. */
export class RedisBackend implements Backend {
  readonly objects: Objects;
  readonly #servers: RedisServers;
  readonly #feed: RedisFeed;
  readonly #turns: RedisTurns;
  readonly #watchers = new Watchers();
  readonly #window = new Window({ bytes: LIMITS.storeSendingBytes, waiting: LIMITS.queuedWriters });
  readonly #doubts: Doubts;
  /** Tells this process's commits from those of others, for its fences. */
  readonly #writer = randomBytes(9).toString("base64url");
  readonly #channel: string;
  /** `null` where objects are stored whole. */
  readonly #bases: DeltaBases | null;
  #newestTime = 0;

  constructor(target: RedisTarget, servers: RedisServers, deltas: boolean) {
    this.#servers = servers;
    // Channels know no databases.
    this.#channel = `envm:${target.database}:changes`;
    this.#turns = new RedisTurns(`${this.#channel}:turns`, (partition, script, keys, args) =>
      this.#ask(0, () => this.#run(partition, script, keys, () => args)),
    );
    this.#feed = new RedisFeed({
      target,
      servers,
      watchers: this.#watchers,
      turns: this.#turns,
      channel: this.#channel,
      writer: this.#writer,
    });
    this.#doubts = new Doubts((partition, era) => this.#fence(partition, era));
    this.#bases = deltas ? new DeltaBases((partition, hashes) => this.#links(partition, hashes)) : null;
    this.objects = {
      get: (partition, hashes) => this.#getObjects(partition, hashes),
      put: (partition, objects) => this.#putObjects(partition, objects),
      list: (partition, after, limit) => this.#listObjects(partition, after, limit),
    };
  }

  async open(): Promise<void> {
    try {
      await this.#feed.open();
    } catch (error) {
      this.#feed.close();
      throw error;
    }
  }

  async get(partition: string, keys: readonly Key[]): Promise<readonly (Entry<string> | null)[]> {
    const values = await this.#read(partition, ["HMGET", keysOf(partition).documents, ...keys]);
    return keys.map((key, index) => entryOf(key, (values as (string | null)[])[index]));
  }

  async list(partition: string, range: Range): Promise<readonly Entry<string>[]> {
    const { documents, order } = keysOf(partition);
    const reply = await this.#readByScript(partition, SCRIPTS.list, [documents, order], lexBounds(range));
    const [keys, values] = reply as [Key[], (string | null)[]];
    return keys.map((key, index) => entryOf(key, values[index])).filter((entry) => entry !== null);
  }

  async revision(partitions: readonly string[]): Promise<readonly number[]> {
    return Promise.all(partitions.map(async (partition) => Number(await this.#read(partition, ["GET", keysOf(partition).revision]))));
  }

  async commit(partition: string, change: Change<string>): Promise<CommitResult> {
    const revision = await this.#write(partition, change, change.objects);
    if (revision === null) return { ok: false };
    this.#feed.tell(partition, revision);
    return { ok: true, revision };
  }

  watch(handlers: WatchHandlers): Subscription {
    return this.#watchers.subscribe(handlers);
  }

  turn(partition: string): Promise<Turn> {
    return this.#turns.take(partition);
  }

  /** The time of one server, which every engine asks; where its clock is set back, this stands still for so long. */
  async now(): Promise<Date> {
    const [seconds, micros] = (await this.#read(SCHEMA_KEY, ["TIME"])) as [string, string];
    this.#newestTime = Math.max(this.#newestTime, Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000));
    return new Date(this.#newestTime);
  }

  async close(): Promise<void> {
    await this.#window.idle();
    this.#watchers.clear();
    this.#feed.close();
    this.#servers.close();
  }

  /** Whole objects by one command; those that are none, by a second. */
  async #getObjects(partition: string, hashes: readonly Hash[]): Promise<readonly (Uint8Array | null)[]> {
    const fields = hashes.map((hash) => Buffer.from(hash, "hex"));
    const found = (await this.#read(partition, ["HMGET", keysOf(partition).objects, ...fields], true)) as (Buffer | null)[];
    const others = hashes.filter((_, index) => !found[index]);
    if (others.length === 0) return found;
    const loaded = await this.#look(partition, () => this.#links(partition, others));
    const links = new Map(loaded.map((link) => [link.hash, link]));
    return hashes.map((hash, index) => {
      const link = links.get(hash);
      if (found[index] || link === undefined || link.isHidden) return found[index] ?? null;
      return resolveChain(
        partition,
        chainFrom(link, ({ base }) => links.get(base ?? "")),
      );
    });
  }

  /** What is stored of these objects, hidden ones included, and of all that they stand upon. */
  async #links(partition: string, hashes: readonly Hash[]) {
    const { objects, deltas, hidden } = keysOf(partition);
    const fields = hashes.map((hash) => Buffer.from(hash, "hex"));
    return linksOf((await this.#run(partition, SCRIPTS.links, [objects, deltas, hidden], () => fields, true)) as Buffer[]);
  }

  async #putObjects(partition: string, objects: readonly StoredObject[]): Promise<void> {
    await this.#write(partition, null, objects);
  }

  async #listObjects(partition: string, after: Hash | null, limit: number): Promise<readonly ObjectInfo[]> {
    const { objects, uses, deltas } = keysOf(partition);
    const lower = after === null ? "-" : Buffer.concat([Buffer.from("("), Buffer.from(after, "hex"), Buffer.from([0xff])]);
    const reply = await this.#readByScript(partition, SCRIPTS.listObjects, [objects, uses, deltas], [lower, String(limit)], true);
    return objectInfos(reply as [Buffer[], (number | Buffer)[]]);
  }

  #read(partition: string, command: RedisArgs, bytes = false): Promise<unknown> {
    return this.#look(partition, () => this.#servers.send(partition, command, bytes));
  }

  #readByScript(partition: string, script: Script, keys: readonly string[], args: RedisArgs, bytes = false): Promise<unknown> {
    return this.#look(partition, () => this.#run(partition, script, keys, () => args, bytes));
  }

  /** A read whose connection breaks is tried once more, on the next one: it has changed nothing. */
  #look<Reply>(partition: string, read: () => Promise<Reply>): Promise<Reply> {
    const settled = async () => {
      if (!this.#doubts.isEmpty) await this.#doubts.settle(partition);
      return read();
    };
    return this.#ask(0, async () => {
      try {
        return await settled();
      } catch (error) {
        if (isTold(error)) throw error;
        return settled();
      }
    });
  }

  /** The partition's new revision, 0 for objects alone, `null` for a lost race. */
  #write(partition: string, change: Change<string> | null, objects: readonly StoredObject[]): Promise<number | null> {
    const words = commitWords(change, whole(objects));
    return this.#ask(sizeOf(words), async () => {
      if (!this.#doubts.isEmpty) await this.#doubts.settle(partition);
      const bases = objects.some(({ replaces }) => replaces !== undefined) ? this.#bases : null;
      if (bases === null) return this.#commit(partition, change, words);
      const { forms, made } = await bases.encode(partition, objects);
      try {
        const written = await this.#commit(partition, change, commitWords(change, forms));
        if (written !== null) bases.keep(partition, made);
        return written;
      } catch (error) {
        if (!(error instanceof LacksBase)) throw error;
        bases.forget();
        return this.#commit(partition, change, words);
      }
    });
  }

  async #commit(partition: string, change: Change<string> | null, words: RedisArgs): Promise<number | null> {
    const { documents, order, revision, objects, uses, fence, deltas, dependents, hidden } = keysOf(partition);
    const keys = [documents, order, revision, objects, uses, fence(this.#writer), deltas, dependents, hidden];
    const channel = change === null ? "" : this.#channel;
    try {
      const reply = await this.#run(partition, SCRIPTS.commit, keys, () => [String(this.#doubts.era), channel, partition, ...words]);
      if (reply === -2) throw eraIsOver();
      if (reply === -3) throw new LacksBase("store_unavailable");
      return reply === -1 ? null : Number(reply);
    } catch (error) {
      // Neither refused by the server nor kept back here: it may have been taken, or be taken yet.
      if (!isTold(error)) this.#doubts.add(partition);
      throw error;
    }
  }

  async #fence(partition: string, era: number): Promise<void> {
    await this.#run(partition, SCRIPTS.fence, [keysOf(partition).fence(this.#writer)], () => [String(era)]);
  }

  /** Runs a script by its name; a server that has not seen it yet has not done anything, and is sent the whole. */
  async #run(partition: string, { sha, source }: Script, keys: readonly string[], args: () => RedisArgs, bytes = false): Promise<unknown> {
    const count = String(keys.length);
    try {
      return await this.#servers.send(partition, () => ["EVALSHA", sha, count, ...keys, ...args()], bytes);
    } catch (error) {
      if (replyCode(error) !== "NOSCRIPT") throw error;
      return this.#servers.send(partition, () => ["EVAL", source, count, ...keys, ...args()], bytes);
    }
  }

  async #ask<Reply>(bytes: number, ask: () => Promise<Reply>): Promise<Reply> {
    try {
      return await this.#window.run(bytes, ask);
    } catch (error) {
      throw storeError(error);
    }
  }
}

/** Nothing was written, since an object was to be a delta upon one that is not there any more. */
class LacksBase extends AppError {}

/** Whether it is known what became of a command: the server said that it refused it, or it was kept back here. */
function isTold(error: unknown): boolean {
  return isAnswer(error) || error instanceof AppError;
}

/** An earlier commit to the partition is in doubt, and this one was sent before that was settled. Nothing was written. */
function eraIsOver(): AppError {
  return new AppError("store_unavailable", { reason: "The connection to Redis broke.", fix: "Send the request again." });
}
