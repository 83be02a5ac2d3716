import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import type { Store, WatchHandlers } from "../../src/ports.ts";
import type { HeadEvent, Watcher } from "../../src/watches.ts";
import { domainOn, errorOf, memoryStore, openVault, openWorld, PROJECT, TestClock, type World, wrapped } from "./support.ts";

/** Somebody who watches, and what they have heard. */
class Listener implements Watcher {
  readonly heard: HeadEvent[] = [];
  readonly lists: (readonly HeadEvent[])[] = [];
  ended = false;
  #news: (() => void)[] = [];

  tell(events: readonly HeadEvent[]): void {
    this.lists.push(events);
    this.heard.push(...events);
    this.#tell();
  }

  end(): void {
    this.ended = true;
    this.#tell();
  }

  get revisions(): readonly number[] {
    return this.heard.map(({ revision }) => revision);
  }

  /** Resolves once `so` is true. */
  async until(so: () => boolean): Promise<this> {
    while (!so()) await new Promise<void>((resolve) => this.#news.push(resolve));
    return this;
  }

  hears(revision: number): Promise<this> {
    return this.until(() => this.heard.at(-1)?.revision === revision);
  }

  #tell(): void {
    for (const resolve of this.#news.splice(0)) resolve();
  }
}

async function started(parts: Parameters<typeof openWorld>[0] = {}): Promise<World> {
  const world = await openWorld(parts);
  await world.project.create("staging");
  return world;
}

function watch({ domain }: Pick<World, "domain">, after: number | null = null, env = "staging") {
  const listener = new Listener();
  const leave = domain.watches.watch(PROJECT, env, after, listener);
  return { listener, leave };
}

/** The store, and how often it was read. */
function counted(store: Store) {
  const reads: string[] = [];
  return {
    reads,
    store: wrapped(store, {
      get: (partition, keys) => {
        reads.push(`get ${keys.join(" ")}`);
        return store.get(partition, keys);
      },
      list: (partition, range) => {
        reads.push(`list ${range.prefix}`);
        return store.list(partition, range);
      },
    }),
  };
}

const edit = ({ project }: World, n: number, env = "staging") => project.configure(env, { vars: { N: String(n) } });

describe("whoever watches an environment", () => {
  test("is told of its head, and then of each new one", async () => {
    const world = await started();
    const { listener } = watch(world);
    await listener.hears(1);
    for (let n = 2; n <= 6; n++) {
      await edit(world, n);
      await listener.hears(n);
    }
    expect(listener.revisions).toEqual([1, 2, 3, 4, 5, 6]);
    const config = await world.domain.config.read(PROJECT, "staging", {});
    const { timestamp, snapshot } = await world.domain.versions.revision(PROJECT, "staging", 6);
    expect(listener.heard.at(-1)).toEqual({
      type: "refetchEvaluation",
      etag: config.tag,
      lastModified: timestamp,
      project_id: PROJECT,
      env: "staging",
      version: config.version,
      revision: 6,
      snapshot,
      action: "config",
      timestamp,
    });
  });

  test("is told of every revision of one commit, in order", async () => {
    const world = await started();
    const { listener } = watch(world);
    await Promise.all(Array.from({ length: 40 }, (_, n) => edit(world, n)));
    await listener.hears(41);
    expect(listener.revisions).toEqual(Array.from({ length: 41 }, (_, index) => index + 1));
  });

  test("goes on where they were, without a gap and without anything twice, while others write", async () => {
    const world = await started();
    const writing = (async () => {
      for (let n = 2; n <= 60; n++) await edit(world, n);
    })();
    const heard: number[] = [];
    while (heard.at(-1) !== 60) {
      const { listener, leave } = watch(world, heard.at(-1) ?? 0);
      await listener.until(() => listener.heard.length >= 3 || listener.heard.at(-1)?.revision === 60);
      leave();
      heard.push(...listener.revisions);
    }
    await writing;
    expect(heard).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
  });

  test("is told nothing that they have, and of a revision that there is not, the head", async () => {
    const world = await started();
    await edit(world, 2);
    const [current, ahead] = [watch(world, 2), watch(world, 99)];
    await ahead.listener.hears(2);
    await edit(world, 3);
    await current.listener.hears(3);
    await ahead.listener.hears(3);
    expect(current.listener.revisions).toEqual([3]);
    expect(ahead.listener.revisions).toEqual([2, 3]);
  });

  test("who was away for too long is told of the newest alone, and of how many there were", async () => {
    const world = await started();
    const newest = LIMITS.watchReplay + 2;
    await Promise.all(Array.from({ length: newest - 1 }, (_, n) => edit(world, n)));
    const [just, over] = [watch(world, 2), watch(world, 1)];
    await just.listener.hears(newest);
    await over.listener.hears(newest);
    expect(just.listener.heard).toHaveLength(LIMITS.watchReplay);
    expect(just.listener.heard[0]).not.toHaveProperty("skipped");
    expect(over.listener.heard).toEqual([expect.objectContaining({ revision: newest, skipped: LIMITS.watchReplay })]);
  });

  test("hears nothing of what is no new head, nor of other environments", async () => {
    const world = await started();
    await world.project.create("production");
    const { listener } = watch(world);
    await listener.hears(1);
    await edit(world, 2, "production");
    await world.domain.environments.hold(world.project.caller, { project: PROJECT, env: "staging" });
    await edit(world, 2);
    await listener.hears(2);
    expect(listener.revisions).toEqual([1, 2]);
  });

  test("hears of what another instance wrote, and of what the store's watch missed", async () => {
    const store = memoryStore();
    const vault = await openVault(store);
    const other = await openWorld({ store, vault });
    await other.project.create("staging");
    const handlers: WatchHandlers[] = [];
    const deaf = wrapped(store, {
      watch: (given) => {
        handlers.push(given);
        return { close: () => {} };
      },
    });
    const told = watch({ domain: domainOn(store, vault) }).listener;
    const missed = watch({ domain: domainOn(deaf, vault) }).listener;
    await Promise.all([told.hears(1), missed.hears(1)]);
    await edit(other, 2);
    await told.hears(2);
    expect(missed.revisions).toEqual([1]);
    for (const { onGap } of handlers) onGap();
    await missed.hears(2);
  });

  test("costs the store one read for a change, however many they are, and all are given the same list", async () => {
    const memory = memoryStore();
    const { store, reads } = counted(memory);
    const world = await started({ store });
    const listeners = Array.from({ length: 500 }, () => watch(world).listener);
    await Promise.all(listeners.map((listener) => listener.hears(1)));
    const { domain } = domainWithout(world, memory);
    const edit = async (revision: number) => {
      const vars = { N: String(revision) };
      await domain.config.patch(world.project.caller, { project: PROJECT, env: "staging", ifMatch: null, vars });
      await Promise.all(listeners.map((listener) => listener.hears(revision)));
    };
    // Those who joined while others were looked at are looked at once more.
    await edit(2);
    reads.length = 0;
    await edit(3);
    expect(reads).toEqual(["get env/staging rev/staging/000000000003"]);
    expect(new Set(listeners.map(({ lists }) => lists.at(-1)))).toHaveProperty("size", 1);
    expect(world.domain.watches.size).toBe(500);
  });

  test("is let go by the environment that is archived, and told so", async () => {
    const world = await started();
    const { listener } = watch(world);
    await listener.hears(1);
    await world.domain.environments.archive(world.project.caller, { project: PROJECT, env: "staging" });
    await listener.until(() => listener.ended);
    expect(listener.heard).toEqual([expect.objectContaining({ revision: 1 }), expect.objectContaining({ revision: 2, final: "archived" })]);
    expect(listener.heard[0]).not.toHaveProperty("final");
    expect(world.domain.watches.size).toBe(0);
  });

  test("is let go when a preview's time is over, whether or not the sweep has come by", async () => {
    const clock = new TestClock();
    const world = await openWorld({ store: memoryStore(clock) });
    await world.project.create("pr-1", { type: "preview", expires_in: "1h" });
    const { listener } = watch(world, null, "pr-1");
    await listener.hears(1);
    clock.time += 3_600_000;
    // Any change of the project makes it look; without one, a timer does.
    await world.project.create("staging");
    await listener.until(() => listener.ended);
    expect(listener.heard.at(-1)).toMatchObject({ revision: 1, final: "expired" });
    expect(await errorOf(world.domain.watches.head(PROJECT, "pr-1"))).toMatchObject({ code: "environment_expired" });
  });

  test("is let go when the engine closes, and leaves nothing behind when they go", async () => {
    const world = await started();
    const [stays, goes] = [watch(world), watch(world)];
    await stays.listener.hears(1);
    goes.leave();
    goes.leave();
    expect(world.domain.watches.size).toBe(1);
    world.domain.news.close();
    await stays.listener.until(() => stays.listener.ended);
    expect(goes.listener.ended).toBe(false);
    expect(world.domain.watches.size).toBe(0);
    const late = watch(world);
    await late.listener.until(() => late.listener.ended);
  });

  test("is told later of what a store that was away had", async () => {
    const memory = memoryStore();
    let away = false;
    const store = wrapped(memory, {
      get: (partition, keys) => (away ? Promise.reject(new Error("away")) : memory.get(partition, keys)),
    });
    const world = await started({ store });
    const { listener } = watch(world);
    await listener.hears(1);
    away = true;
    const other = domainWithout(world, memory).domain;
    await other.config.patch(world.project.caller, { project: PROJECT, env: "staging", ifMatch: null, vars: { N: "2" } });
    await new Promise(setImmediate);
    expect(listener.ended).toBe(false);
    away = false;
    await listener.hears(2);
  });
});

/** Another engine on what the world's store rests on. */
function domainWithout({ vault }: World, store: Store) {
  return { domain: domainOn(store, vault) };
}
