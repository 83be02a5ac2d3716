import { beforeAll, describe, expect, test, vi } from "vitest";
import { pass, ROOT } from "../access/support.ts";
import { PROJECT } from "../domain/support.ts";
import { ACTIVE, type Asked, answeredAlike, CONFIG, type Doors, doors, expectTaken, STORES, statusesOf, thrice, written } from "./doors.ts";
import { ROOT_TOKEN, rateClockStands } from "./support.ts";

type Case = readonly [what: string, ask: (doors: Doors) => Asked | Promise<Asked>];
const as =
  (token: keyof Doors["tokens"], more: Asked = {}): Case[1] =>
  (world) => ({ token: world.tokens[token], ...more });
const tagOf = async ({ domain }: Doors) => (await domain.config.read(PROJECT, "staging", {})).tag;

const TAKEN: readonly Case[] = [
  ["a read of config", as("reader")],
  ["a read of what should run", as("reader", { path: ACTIVE })],
  ["as root", () => ({ token: ROOT_TOKEN })],
  ["as an engine that names nobody", as("engine")],
  ["as whoever has a token that ends", as("brief")],
  ["as whoever still has the token before the last rotation", as("rotated")],
  ["as whoever has the one after it", as("renewed")],
  ["of a large config", as("reader", { path: `/env/${PROJECT}/big/config` })],
  ["of a preview that has not ended", as("reader", { path: `/env/${PROJECT}/pr-1/config` })],
  ["of an archived environment", as("reader", { path: `/env/${PROJECT}/old/active` })],
  ["by HEAD", as("reader", { method: "HEAD" })],
  ["of what should run by HEAD", as("reader", { method: "HEAD", path: ACTIVE })],
  ["with an id of its own", as("reader", { headers: ["X-Request-Id: mine-1"] })],
  ["with an id that is none", as("reader", { headers: ["X-Request-Id: mine 1"] })],
  ["with the tag that it has", async (world) => ({ token: world.tokens.reader, headers: [`If-None-Match: "${await tagOf(world)}"`] })],
  ["with a weak tag", async (world) => ({ token: world.tokens.reader, headers: [`If-None-Match: W/"${await tagOf(world)}"`] })],
  ["with a list of tags", async (world) => ({ token: world.tokens.reader, headers: [`If-None-Match: "a", "${await tagOf(world)}"`] })],
  ["with another tag", as("reader", { headers: ['If-None-Match: "a"'] })],
  ["with what is no tag", as("reader", { headers: ["If-None-Match: nonsense"] })],
  ["with any tag", as("reader", { headers: ["If-None-Match: *"] })],
  ["with any tag by HEAD", as("reader", { method: "HEAD", headers: ["If-None-Match: *"] })],
  ["with headers in other letters", (world) => ({ headers: [`AUTHORIZATION: bearer  ${world.tokens.reader}`, "IF-NONE-MATCH: *"] })],
  [
    "with headers of no interest",
    as("reader", { headers: ["Accept: text/html", "User-Agent: x", "Origin: https://evil.example", "Range: bytes=0-1"] }),
  ],
  ["with proxies' headers that nobody is believed", as("reader", { headers: ["X-Forwarded-For: 8.8.8.8", "X-Forwarded-Proto: https"] })],
];

const LEFT: readonly Case[] = [
  ["without a token", () => ({})],
  ["with a token that nobody has", () => ({ token: `envm_${"0".repeat(16)}_${"A".repeat(43)}` })],
  ["with a token that was revoked", as("revoked")],
  ["with a token for elsewhere", as("stranger")],
  ["with a token that may only evaluate", as("client")],
  [
    "with two Authorization headers",
    (world) => ({ token: world.tokens.reader, headers: [`Authorization: Bearer ${world.tokens.reader}`] }),
  ],
  ["with another scheme", (world) => ({ headers: [`Authorization: Basic ${world.tokens.reader}`] })],
  ["with a cookie", as("reader", { headers: ["Cookie: envm_session=x"] })],
  ["with a cookie alone", () => ({ headers: ["Cookie: envm_session=x"] })],
  ["for somebody, as an engine", as("engine", { headers: ["X-Actor: ann"] })],
  ["for somebody, as no engine", as("reader", { headers: ["X-Actor: ann"] })],
  ["with two ids", as("reader", { headers: ["X-Request-Id: a", "X-Request-Id: b"] })],
  ["with two lists of tags", as("reader", { headers: ['If-None-Match: "a"', "If-None-Match: *"] })],
  ["in HTTP/1.0", as("reader", { version: "1.0" })],
  ["in HTTP/1.0 without a host", as("reader", { version: "1.0", host: [] })],
  ["with an expectation", as("reader", { headers: ["Expect: 100-continue"] })],
  ["with an expectation that nobody knows", as("reader", { headers: ["Expect: a-miracle"] })],
  ["with an offer to upgrade", as("reader", { headers: ["Upgrade: h2c"] })],
  ["with a body", as("reader", { headers: ["Content-Length: 2"], body: "{}" })],
  ["with a body in chunks", as("reader", { headers: ["Transfer-Encoding: chunked"], body: "0\r\n\r\n" })],
  ["without a host", as("reader", { host: [] })],
  ["with two hosts", as("reader", { host: ["Host: 127.0.0.1", "Host: 127.0.0.1"] })],
  ["to another host", as("reader", { host: ["Host: evil.example"] })],
  ["of a revision", as("reader", { path: `${CONFIG}?at=1` })],
  ["with an empty query", as("reader", { path: `${CONFIG}?` })],
  ["with a query that there is not", as("reader", { path: `${CONFIG}?x=1` })],
  ["that waits", as("reader", { path: `${ACTIVE}?wait=1s&after=0` })],
  ["of a whole address", as("reader", { path: `http://127.0.0.1${CONFIG}` })],
  ["with a slash at the end", as("reader", { path: `${CONFIG}/` })],
  ["with two slashes", as("reader", { path: `/env//${PROJECT}/staging/config` })],
  ["with an encoded letter", as("reader", { path: `/env/${PROJECT}/%73taging/config` })],
  ["with a broken encoding", as("reader", { path: `/env/${PROJECT}/%7/config` })],
  ["with capital letters", as("reader", { path: `/env/${PROJECT}/staging/CONFIG` })],
  ["of an environment that there is not", as("reader", { path: `/env/${PROJECT}/nothing/config` })],
  ["of a project that there is not", () => ({ token: ROOT_TOKEN, path: "/env/nothing/staging/config" })],
  ["of a name that is a route's", () => ({ token: ROOT_TOKEN, path: `/env/${PROJECT}/versions/config` })],
  ["of a name that no environment has", () => ({ token: ROOT_TOKEN, path: `/env/compare/staging/config` })],
  ["by POST", as("reader", { method: "POST" })],
  ["by DELETE", as("reader", { method: "DELETE" })],
  ["by OPTIONS", as("reader", { method: "OPTIONS" })],
];

describe.each(STORES)("the fast lane answers as the routes do, byte by byte, %s", (_store, options) => {
  let world: Doors;
  beforeAll(async () => {
    world = await doors(options);
  });

  test.each(TAKEN)("%s, which it takes", async (what, ask) => {
    const answered = await answeredAlike(world, thrice(await ask(world)));
    // Of what ends, a store that is shared is asked for the time.
    expectTaken(answered, what.includes("preview") && !options.exclusive ? 3 : 0);
  });

  test.each(LEFT)("%s, which it leaves to them", async (_what, ask) => {
    await world.both(written({ token: world.tokens.reader }));
    await answeredAlike(world, thrice(await ask(world)));
  });

  test("whose tokens change on one connection, each as its own token may", async () => {
    const { reader, stranger, revoked } = world.tokens;
    const asked = [reader, stranger, reader, revoked, null, "wrong", reader].map((token) => written({ token }, "keep-alive"));
    const answered = await answeredAlike(world, asked.join("") + written({ token: reader }));
    expect(statusesOf(answered)).toEqual("200 404 200 401 401 401 200 200".split(" "));
  });

  test("without tokens too", async () => {
    const world = await doors({ ...options, auth: false });
    for (const asked of [{}, { path: ACTIVE }, { method: "HEAD" }, { token: "whatever" }, { host: ["Host: evil.example"] }]) {
      await world.both(written(asked));
      const { lane, routes } = await world.both(written(asked));
      expect(lane).toBe(routes);
    }
    expect((await world.both(written({}))).asked).toBe(0);
  });

  test("behind proxies that are believed", async () => {
    const world = await doors({ ...options, settings: { trustedProxies: ["127.0.0.1"] } });
    const headers = ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"];
    for (const more of [{ headers }, {}]) {
      await world.both(written({ token: world.tokens.reader, ...more }));
      const { lane, routes, asked } = await world.both(written({ token: world.tokens.reader, ...more }));
      expect(lane).toBe(routes);
      expect(lane.includes("strict-transport-security")).toBe("headers" in more);
      expect(asked).toBe("headers" in more ? 1 : 0);
    }
  });

  test.each(["perToken", "perAddress"] as const)("as many requests as there may be %s, and not one more", async (which) => {
    rateClockStands();
    const requestsPerSecond = { perToken: 1_000, perAddress: 1_000, [which]: 1 };
    const world = await doors({ ...options, settings: { requestsPerSecond } });
    const request = written({ token: world.tokens.reader });
    const statuses: string[] = [];
    for (let sent = 0; sent < 4; sent++) {
      const { lane, routes } = await world.both(request);
      expect(lane.replace(/retry.after[^\r,]*/gi, "")).toBe(routes.replace(/retry.after[^\r,]*/gi, ""));
      statuses.push(lane.slice(9, 12));
    }
    expect(statuses).toEqual(["200", "200", "429", "429"]);
  });
});

test("the store is asked nothing for whoever shows no token, or is over what their address may", async () => {
  rateClockStands();
  const world = await doors({ exclusive: false, settings: { requestsPerSecond: { perToken: 1_000, perAddress: 1 } } });
  const confirm = vi.spyOn(world.domain.readIndex, "confirm");
  for (const headers of [[], ["Authorization: Basic cm9vdDpyb290"]])
    await world.both(written({ headers, path: "/env/made-up/any/config" }));
  expect((await world.both(written({ token: world.tokens.reader }))).lane).toMatch(/^HTTP\/1\.1 429/);
  expect(confirm).not.toHaveBeenCalled();
});

describe.each(STORES)("whatever happens, the next answer knows of it, %s", (_store, options) => {
  const config = async ({ both, tokens }: Doors, token: keyof Doors["tokens"] = "reader", path = CONFIG) => {
    const { lane, routes } = await both(written({ token: tokens[token], path }));
    expect(lane).toBe(routes);
    return lane;
  };

  test("each edit is in the read that comes after it", async () => {
    const world = await doors(options);
    for (let n = 0; n < 20; n++) {
      await world.project.configure("staging", { vars: { N: `n-${n}` } });
      const [first, second] = [await config(world), await config(world)];
      expect([first, second]).toEqual([expect.stringContaining(`"N":"n-${n}"`), expect.stringContaining(`"N":"n-${n}"`)]);
    }
  });

  test("a deployment report is in what should run, though no revision is new", async () => {
    const world = await doors(options);
    await config(world, "reader", ACTIVE);
    const { version } = await world.domain.config.read(PROJECT, "staging", {});
    await world.domain.deployments.report(world.project.caller, { project: PROJECT, env: "staging", version, status: "deployed" });
    expect(await config(world, "reader", ACTIVE)).toContain('"status":"in_sync"');
  });

  test("a token is refused from the moment on that it is revoked, rotated or over", async () => {
    const world = await doors(options);
    const { domain, tokens, clock } = world;
    const idOf = (token: string) => token.slice(5, 21);
    for (const name of ["reader", "brief", "rotated"] as const) {
      await config(world, name);
      expect(await config(world, name)).toMatch(/^HTTP\/1\.1 200/);
    }
    await domain.tokens.revoke(ROOT, idOf(tokens.reader));
    expect(await config(world, "reader")).toMatch(/^HTTP\/1\.1 401/);
    pass(clock, "29m");
    expect(await config(world, "brief")).toMatch(/^HTTP\/1\.1 200/);
    clock.time += 60_000;
    expect(await config(world, "brief")).toMatch(/^HTTP\/1\.1 401/);
    expect(await config(world, "rotated")).toMatch(/^HTTP\/1\.1 200/);
    pass(clock, "30m");
    expect(await config(world, "rotated")).toMatch(/^HTTP\/1\.1 401/);
    expect(await config(world, "renewed")).toMatch(/^HTTP\/1\.1 200/);
  });

  test("a preview is gone from the moment on that it ends, and back when it is brought back", async () => {
    const world = await doors(options);
    const path = `/env/${PROJECT}/pr-1/config`;
    await config(world, "engine", path);
    world.clock.time += 3_600_000 - 1;
    expect(await config(world, "engine", path)).toMatch(/^HTTP\/1\.1 200/);
    world.clock.time += 1;
    expect(await config(world, "engine", path)).toMatch(/^HTTP\/1\.1 410/);
    await world.domain.previews.restore(world.project.caller, { project: PROJECT, env: "pr-1", expires_in: "1h" });
    expect(await config(world, "engine", path)).toMatch(/^HTTP\/1\.1 200/);
  });

  test("many who read while others write see no head that is older than one that was told to anybody", async () => {
    const world = await doors(options);
    const request = written({ token: world.tokens.reader });
    let told = 0;
    const writing = (async () => {
      for (let n = 1; n <= 60; n++) {
        await world.project.configure("staging", { vars: { COUNT: String(n) } });
        told = n;
      }
    })();
    const reading = Array.from({ length: 8 }, async () => {
      while (told < 60) {
        const before = told;
        const { lane } = await world.both(request);
        expect(Number(/"COUNT":"(\d+)"/.exec(lane)?.[1] ?? 0)).toBeGreaterThanOrEqual(before);
      }
    });
    await Promise.all([writing, ...reading]);
  });
});

test("what it answers is counted as what the routes answer", async () => {
  const world = await doors();
  for (let n = 0; n < 3; n++) await world.both(written({ token: world.tokens.reader }));
  const { lane, routes } = await world.counted();
  expect(lane).toEqual([["getConfig", "200", "3"]]);
  expect(lane).toEqual(routes);
});

test("what it answers tells when a token was last used", async () => {
  const world = await doors();
  const [token] = [world.tokens.reader];
  for (let n = 0; n < 3; n++) {
    pass(world.clock, "5m");
    await world.both(written({ token }));
    const { last_used_at } = await world.domain.tokens.view(ROOT, token.slice(5, 21));
    expect(last_used_at).toBe(new Date(world.clock.read()).toISOString());
  }
});
