import { describe, expect, test } from "vitest";
import { EVERYTHING } from "../../src/access.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Caller } from "../../src/model.ts";
import type { ProjectEvent, ProjectWatcher } from "../../src/project-watches.ts";
import { caller, domainOn, memoryStore, openWorld, PROJECT, type World, wrapped } from "./support.ts";

/** Somebody who watches, and what they have heard. */
class Listener implements ProjectWatcher {
  readonly lists: (readonly ProjectEvent[])[] = [];
  ended = false;
  #news: (() => void)[] = [];

  tell(events: readonly ProjectEvent[]): void {
    this.lists.push(events);
    for (const resolve of this.#news.splice(0)) resolve();
  }

  end(): void {
    this.ended = true;
  }

  get heard(): readonly ProjectEvent[] {
    return this.lists.flat();
  }

  async hears(seq: number): Promise<this> {
    while ((this.heard.at(-1)?.seq ?? 0) < seq) await new Promise<void>((resolve) => this.#news.push(resolve));
    return this;
  }
}

/** The engine that is watched reads its log through a store that counts; another one writes. */
async function scene() {
  const memory = memoryStore();
  const lists: string[] = [];
  const store = wrapped(memory, {
    list: (partition, range) => {
      lists.push(range.prefix);
      return memory.list(partition, range);
    },
  });
  const world = await openWorld({ store });
  await world.project.create("staging");
  const writer = domainOn(memory, world.vault);
  let edits = 0;
  const edit = (env = "staging") =>
    writer.config.patch(world.project.caller, { project: PROJECT, env, ifMatch: null, vars: { N: String(edits++) } });
  return { ...world, lists, edit, newest: () => world.domain.projectWatches.newest(PROJECT) };
}

async function watch({ domain }: Pick<World, "domain">, after: number | null, who: Caller = caller("ana")) {
  const listener = new Listener();
  const newest = await domain.projectWatches.newest(PROJECT);
  const leave = domain.projectWatches.watch(who, PROJECT, after, newest, listener);
  return { listener, leave };
}

describe("whoever watches a project", () => {
  test("costs its log one read for a change, however many they are, and all who may see the same are given the same list", async () => {
    const world = await scene();
    const before = await world.newest();
    const crowd = await Promise.all(Array.from({ length: 200 }, () => watch(world, null)));
    await world.edit();
    await Promise.all(crowd.map(({ listener }) => listener.hears(before + 1)));
    world.lists.length = 0;
    await world.edit();
    await Promise.all(crowd.map(({ listener }) => listener.hears(before + 2)));
    expect(world.lists).toHaveLength(1);
    expect(new Set(crowd.map(({ listener }) => listener.lists.at(-1)))).toHaveProperty("size", 1);
    expect(crowd[0]?.listener.heard.map(({ type }) => type)).toEqual(["projectWatched", "projectChanged", "projectChanged"]);
  });

  test("goes on where each of them was, in one look, and sees what they may alone", async () => {
    const world = await scene();
    await world.project.create("production");
    const first = await world.newest();
    await world.edit();
    await world.edit("production");
    const newest = await world.newest();
    const narrow = { ...caller("narrow"), grants: [{ ...EVERYTHING, envs: ["production"] }] };
    const [all, half, few] = await Promise.all([watch(world, first), watch(world, first + 1), watch(world, first, narrow)]);
    await Promise.all([all, half, few].map(({ listener }) => listener.hears(newest)));
    const environments = ({ listener }: typeof all) => listener.heard.map((event) => ("environment" in event ? event.environment : null));
    expect([environments(all), environments(half), environments(few)]).toEqual([["staging", "production"], ["production"], ["production"]]);
    await world.edit("production");
    await Promise.all([all, half, few].map(({ listener }) => listener.hears(newest + 1)));
    expect(all.listener.heard.map(({ seq }) => seq)).toEqual([first + 1, first + 2, first + 3]);
  });

  test("who was away for too long is told of the newest, and of how many there were", async () => {
    const world = await scene();
    for (let n = 0; n < LIMITS.watchReplay + 5; n++) await world.edit();
    const newest = await world.newest();
    const { listener } = await watch(world, 1);
    await listener.hears(newest);
    expect(listener.heard).toHaveLength(LIMITS.watchReplay);
    expect(listener.heard[0]).toMatchObject({ seq: newest - LIMITS.watchReplay + 1, skipped: newest - LIMITS.watchReplay - 1 });
  });

  test("is let go when the engine closes, and hears nothing after they have gone", async () => {
    const world = await scene();
    const [stays, goes] = await Promise.all([watch(world, null), watch(world, null)]);
    goes.leave();
    await world.edit();
    await stays.listener.hears(await world.newest());
    expect(goes.listener.heard).toHaveLength(1);
    world.domain.news.close();
    while (!stays.listener.ended) await new Promise(setImmediate);
    expect(goes.listener.ended).toBe(false);
  });
});
