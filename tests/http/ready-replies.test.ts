import { describe, expect, test, vi } from "vitest";
import { type Lane, ReadyReplies } from "../../src/http/ready-replies.ts";
import { LIMITS } from "../../src/limits.ts";
import { errorOf, gate, openWorld, PROJECT, type World } from "../domain/support.ts";

const path = (env: string, what = "config") => `/env/${PROJECT}/${env}/${what}`;

async function started(...envs: readonly string[]): Promise<World> {
  const world = await openWorld({ exclusive: true });
  for (const env of envs) await world.project.create(env, { env_variables: { LONG: "x".repeat(1_000) } });
  return world;
}

async function revision({ domain }: World): Promise<number> {
  return (await domain.readIndex.confirm([PROJECT]))[0] ?? 0;
}

function laneOf(replies: ReadyReplies, name: string): Lane {
  const lane = replies.lane(name);
  if (lane === null) throw new Error(`${name} is no path of the lane`);
  return lane;
}

describe("replies that are kept ready", () => {
  test("are made once for a head, however many ask at once", async () => {
    const world = await started("a");
    const readable = vi.spyOn(world.domain.heads, "readable");
    const replies = new ReadyReplies(world.domain);
    const asOf = await revision(world);
    const made = await Promise.all(Array.from({ length: 50 }, () => replies.make(laneOf(replies, path("a")), asOf)));
    expect(new Set(made).size).toBe(1);
    expect(readable).toHaveBeenCalledTimes(1);
    await world.project.create("b");
    const later = await revision(world);
    expect(await replies.make(laneOf(replies, path("a")), later)).toBe(made[0]);
    expect(made[0]?.asOf).toBe(later);
    await world.project.configure("a", { vars: { N: "1" } });
    expect(await replies.make(laneOf(replies, path("a")), await revision(world))).not.toBe(made[0]);
  });

  test("are as many as there may be, and as large: the oldest go first", async () => {
    const world = await started("a", "b", "c");
    const asOf = await revision(world);
    for (const bounds of [{ readyPaths: 2 }, { readyBytesTotal: 3_000 }]) {
      const replies = new ReadyReplies(world.domain, { ...LIMITS, ...bounds });
      for (const env of ["a", "b", "c"]) await replies.make(laneOf(replies, path(env)), asOf);
      expect(["a", "b", "c"].map((env) => laneOf(replies, path(env)).ready !== null)).toEqual([false, true, true]);
    }
  });

  test("take no room any more where one had to go while it was made, and whoever waits for it gets it", async () => {
    const world = await started("a", "b", "c", "d");
    const asOf = await revision(world);
    const replies = new ReadyReplies(world.domain, { ...LIMITS, readyBytesTotal: 3_000 });
    const { heads } = world.domain;
    const readable = heads.readable.bind(heads);
    const slow = gate();
    vi.spyOn(heads, "readable").mockImplementation(async (project, env, freshness) => {
      if (env === "a") await slow.opened;
      return readable(project, env, freshness);
    });
    const waiting = replies.make(laneOf(replies, path("a")), asOf);
    for (const env of ["b", "c", "d"]) await replies.make(laneOf(replies, path(env)), asOf);
    slow.open();
    expect(await waiting).not.toBeNull();
    for (const env of ["b", "c"]) await replies.make(laneOf(replies, path(env)), asOf);
    expect(["b", "c"].map((env) => laneOf(replies, path(env)).ready !== null)).toEqual([true, true]);
  });

  test("are none where one would be too large, which is found out once for a head", async () => {
    const world = await started("a");
    const readable = vi.spyOn(world.domain.heads, "readable");
    const replies = new ReadyReplies(world.domain, { ...LIMITS, readyBytes: 500 });
    const asOf = await revision(world);
    for (let time = 0; time < 3; time++) expect(await replies.make(laneOf(replies, path("a")), asOf)).toBeNull();
    expect(readable).toHaveBeenCalledTimes(1);
    await world.project.configure("a", { vars: { LONG: "short" } });
    expect(await replies.make(laneOf(replies, path("a")), await revision(world))).not.toBeNull();
  });

  test("leave no room taken by what there is not", async () => {
    const world = await started("a");
    const replies = new ReadyReplies(world.domain);
    const before = laneOf(replies, path("nothing"));
    expect(await errorOf(replies.make(before, 1))).toMatchObject({ code: "environment_not_found" });
    expect(laneOf(replies, path("nothing"))).not.toBe(laneOf(replies, path("nothing")));
  });

  test.each(["/env/p/e/state", "/env/p/e/config?at=1", "/env/p/e/config/", "/env/p/E/config", "/env/p/e%20/config", "/healthz", ""])(
    "are none of the path %j",
    async (other) => {
      const world = await started();
      expect(new ReadyReplies(world.domain).lane(other)).toBeNull();
    },
  );
});
