import { beforeAll, describe, expect, test, vi } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { pass, ROOT } from "../access/support.ts";
import { PROJECT } from "../domain/support.ts";
import { BULK, CORS_ORIGIN, FLAGS } from "../ofrep/support.ts";
import { ACTIVE, type Asked, answeredAlike, type Doors, doors, expectTaken, STORES, statusesOf, thrice, written } from "./doors.ts";
import { ROOT_TOKEN, rateClockStands, type SETTINGS } from "./support.ts";

const NAMED = `${BULK}?project_id=${PROJECT}&env=staging`;
const PRO = { context: { targetingKey: "josé 🚀", plan: "pro", email: "ann@example.com" } };
/** Answers that are longer in bytes than in characters. */
const GREETING = {
  greeting: {
    state: "ENABLED",
    variants: { short: "grüß dich 🚀", größer: 'a \u2028 " \\' },
    defaultVariant: "short",
    targeting: { if: [{ "==": [{ var: "plan" }, "free"] }, "größer", null] },
    metadata: { owner: "Zoë" },
  },
};
const SWITCH = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off" };
const LATE = { if: [{ ">": [{ var: "$flagd.timestamp" }, 5] }, "on", "off"] };

interface FlagDoors extends Doors {
  /** Of tokens that may evaluate flags in `staging` alone. */
  readonly app: string;
  readonly other: string;
  readonly over: string;
}

async function flagDoors(options: Parameters<typeof doors>[0] = {}): Promise<FlagDoors> {
  const world = await doors(options);
  await world.project.configure("staging", {
    flags: { ...FLAGS, ...GREETING },
    evaluators: { staff: { ends_with: [{ var: "email" }, "@example.com"] } },
    flag_metadata: { flagSetId: "shop" },
  });
  await world.project.create("timed");
  await world.project.configure("timed", { flags: { ...GREETING, late: { ...SWITCH, targeting: LATE } } });
  const make = (name: string) => world.domain.tokens.create(ROOT, { name, role: "client", projects: [PROJECT], envs: ["staging"] });
  const [app, other, over] = [await make("app"), await make("other"), await make("over")];
  await world.domain.tokens.revoke(ROOT, over.id);
  return { ...world, app: app.token, other: other.token, over: over.token };
}

/** A question for all flags, with that body, however wrong. */
function question(token: string | null, body: unknown, { path = BULK, headers = [], ...more }: Asked = {}): Asked {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const bytes = Buffer.from(text).toString("latin1");
  const ofBody = ["Content-Type: application/json", `Content-Length: ${bytes.length}`];
  return {
    method: "POST",
    path,
    token,
    headers: [...(body === null ? [] : ofBody), ...headers],
    body: body === null ? "" : bytes,
    ...more,
  };
}

async function tagOf(world: FlagDoors, body: unknown = PRO): Promise<string> {
  const { routes } = await world.both(written(question(world.app, body)));
  return /\r\netag: ([^\r]+)/i.exec(routes)?.[1] ?? "none";
}

type Case = readonly [what: string, ask: (world: FlagDoors) => Asked | Promise<Asked>];

const TAKEN: readonly Case[] = [
  ["for a context", ({ app }) => question(app, PRO)],
  ["for another context", ({ app }) => question(app, { context: { plan: "free" } })],
  ["for an empty context", ({ app }) => question(app, { context: {} })],
  ["for no context", ({ app }) => question(app, {})],
  ["for a context that is null", ({ app }) => question(app, { context: null })],
  ["without a body", ({ app }) => question(app, null)],
  ["with a body of no bytes", ({ app }) => question(app, null, { headers: ["Content-Length: 0"] })],
  ["with what later versions may send", ({ app }) => question(app, { ...PRO, later: [1, { a: null }] })],
  ["with a member of an odd name", ({ app }) => question(app, '{"__proto__":{"a":1},"context":{"__proto__":5}}')],
  ["with spaces", ({ app }) => question(app, ' { "context" :\n{ } } ')],
  ["with a byte order mark", ({ app }) => question(app, '\ufeff{"context":{}}')],
  ["with a body as large as it may be", ({ app }) => question(app, `{"a":"${"x".repeat(LIMITS.bodyBytes - 8)}"}`)],
  ["where the environment is named", ({ app }) => question(app, PRO, { path: NAMED })],
  ["of an environment without flags", ({ tokens }) => question(tokens.reader, PRO, { path: `${BULK}?project_id=${PROJECT}&env=big` })],
  [
    "of an environment with a flag that reads the clock",
    ({ tokens }) => question(tokens.reader, PRO, { path: `${BULK}?project_id=${PROJECT}&env=timed` }),
  ],
  ["of an archived environment", ({ tokens }) => question(tokens.reader, PRO, { path: `${BULK}?project_id=${PROJECT}&env=old` })],
  ["of a preview", ({ tokens }) => question(tokens.reader, PRO, { path: `${BULK}?project_id=${PROJECT}&env=pr-1` })],
  ["as root", () => question(ROOT_TOKEN, PRO, { path: NAMED })],
  ["as a reader", ({ tokens }) => question(tokens.reader, PRO, { path: NAMED })],
  ["as a client of the project", ({ tokens }) => question(tokens.client, PRO, { path: NAMED })],
  ["as whoever has the token before a rotation", ({ tokens }) => question(tokens.rotated, PRO, { path: NAMED })],
  ["as whoever has the one after it", ({ tokens }) => question(tokens.renewed, PRO, { path: NAMED })],
  ["as whoever has a token that ends", ({ tokens }) => question(tokens.brief, PRO, { path: NAMED })],
  ["with the tag that it has", async (world) => question(world.app, PRO, { headers: [`If-None-Match: ${await tagOf(world)}`] })],
  ["with a weak tag", async (world) => question(world.app, PRO, { headers: [`If-None-Match: W/${await tagOf(world)}`] })],
  ["with a list of tags", async (world) => question(world.app, PRO, { headers: [`If-None-Match: "a", W/${await tagOf(world)}`] })],
  ["with another context's tag", async (world) => question(world.app, {}, { headers: [`If-None-Match: ${await tagOf(world)}`] })],
  ["with another token's tag", async (world) => question(world.other, PRO, { headers: [`If-None-Match: ${await tagOf(world)}`] })],
  ["with what is no tag", ({ app }) => question(app, PRO, { headers: ["If-None-Match: nonsense"] })],
  ["with any tag", ({ app }) => question(app, PRO, { headers: ["If-None-Match: *"] })],
  ["with an id of its own", ({ app }) => question(app, PRO, { headers: ["X-Request-Id: mine-1"] })],
  ["with headers of no interest", ({ app }) => question(app, PRO, { headers: ["Accept: text/html", "Idempotency-Key: k", "If-Match: x"] })],
  ["in JSON of another kind", ({ app }) => typed(app, "application/vnd.example+json; charset=utf-8")],
];

const LEFT: readonly Case[] = [
  ["without a token", () => question(null, PRO)],
  ["with a token that nobody has", () => question(`envm_${"0".repeat(16)}_${"A".repeat(43)}`, PRO)],
  ["with a token that was revoked", ({ over }) => question(over, PRO)],
  ["with a token for elsewhere", ({ tokens }) => question(tokens.stranger, PRO, { path: NAMED })],
  ["with a token that reaches more than one environment", ({ tokens }) => question(tokens.client, PRO)],
  ["of an environment that the token does not reach", ({ app }) => question(app, PRO, { path: `${BULK}?project_id=${PROJECT}&env=big` })],
  ["of an environment that there is not", () => question(ROOT_TOKEN, PRO, { path: `${BULK}?project_id=${PROJECT}&env=nothing` })],
  ["of a project that there is not", () => question(ROOT_TOKEN, PRO, { path: `${BULK}?project_id=nothing&env=staging` })],
  ["of a name that no environment has", () => question(ROOT_TOKEN, PRO, { path: `${BULK}?project_id=${PROJECT}&env=versions` })],
  ["with two Authorization headers", ({ app }) => question(app, PRO, { headers: [`Authorization: Bearer ${app}`] })],
  ["with a token in the other header", ({ app }) => question(null, PRO, { headers: [`X-API-Key: ${app}`] })],
  ["with two kinds of token", ({ app, other }) => question(app, PRO, { headers: [`X-API-Key: ${other}`] })],
  ["with a cookie", ({ app }) => question(app, PRO, { headers: ["Cookie: envm_session=x"] })],
  ["with a cookie alone", () => question(null, PRO, { headers: ["Cookie: envm_session=x"] })],
  ["from a page", ({ app }) => question(app, PRO, { headers: [`Origin: ${CORS_ORIGIN}`] })],
  ["from a page of the engine's own", ({ app }) => question(app, PRO, { headers: ["Origin: http://127.0.0.1"] })],
  ["from a page of nobody", ({ app }) => question(app, PRO, { headers: ["Origin: https://evil.example"] })],
  ["for somebody, as an engine", ({ tokens }) => question(tokens.engine, PRO, { path: NAMED, headers: ["X-Actor: ann"] })],
  ["for somebody, as no engine", ({ app }) => question(app, PRO, { headers: ["X-Actor: ann"] })],
  ["in HTTP/1.0", ({ app }) => question(app, PRO, { version: "1.0" })],
  ["with an expectation", ({ app }) => question(app, PRO, { headers: ["Expect: 100-continue"] })],
  ["to another host", ({ app }) => question(app, PRO, { host: ["Host: evil.example"] })],
  ["with two lists of tags", ({ app }) => question(app, PRO, { headers: ['If-None-Match: "a"', "If-None-Match: *"] })],
  ["with half a name", ({ app }) => question(app, PRO, { path: `${BULK}?env=staging` })],
  ["with an empty query", ({ app }) => question(app, PRO, { path: `${BULK}?` })],
  ["with a query that there is not", ({ app }) => question(app, PRO, { path: `${BULK}?x=1` })],
  ["with what an event told", ({ app }) => question(app, PRO, { path: `${NAMED}&flagConfigEtag=x` })],
  ["with a slash at the end", ({ app }) => question(app, PRO, { path: `${BULK}/` })],
  ["for one flag", ({ app }) => question(app, PRO, { path: `${BULK}/beta` })],
  ["by PUT", ({ app }) => question(app, PRO, { method: "PUT" })],
  ["by GET", ({ app }) => question(app, null, { method: "GET" })],
  ["with a body that is no JSON", ({ app }) => question(app, '{"context":')],
  ["with a body that is empty but for a space", ({ app }) => question(app, " ")],
  ["with a body of which a member comes twice", ({ app }) => question(app, '{"context":{},"context":{}}')],
  ["with a body that is no object", ({ app }) => question(app, "[]")],
  ["with a body that is null", ({ app }) => question(app, "null")],
  ["with a body that is too deep", ({ app }) => question(app, `{"context":${"[".repeat(200)}${"]".repeat(200)}}`)],
  ["with a context that is none", ({ app }) => question(app, { context: "me" })],
  ["with a context that is a list", ({ app }) => question(app, { context: [] })],
  ["with a targeting key that is none", ({ app }) => question(app, { context: { targetingKey: 5 } })],
  ["with a context that is too large", ({ app }) => question(app, { context: { a: "x".repeat(LIMITS.contextBytes) } })],
  ["with a body that is too large", ({ app }) => question(app, `{"a":"${"x".repeat(LIMITS.bodyBytes)}"}`)],
  ["with text", ({ app }) => typed(app, "text/plain")],
  ["with what is packed", ({ app }) => question(app, PRO, { headers: ["Content-Encoding: gzip"] })],
  [
    "with a body in chunks",
    ({ app }) => ({
      method: "POST",
      path: BULK,
      token: app,
      headers: ["Content-Type: application/json", "Transfer-Encoding: chunked"],
      body: "2\r\n{}\r\n0\r\n\r\n",
    }),
  ],
];

function typed(token: string, type: string): Asked {
  const text = JSON.stringify({ context: {} });
  return { method: "POST", path: BULK, token, headers: [`Content-Type: ${type}`, `Content-Length: ${text.length}`], body: text };
}

describe.each(STORES)("all flags come from the fast lane as from the routes, byte by byte, %s", (_store, options) => {
  let world: FlagDoors;
  beforeAll(async () => {
    world = await flagDoors(options);
  });

  test.each(TAKEN)("%s, which it takes", async (what, ask) => {
    const answered = await answeredAlike(world, thrice(await ask(world)));
    expect(answered.lane).toContain(what.match(/the tag that|a weak|a list of/) ? " 304 " : " 200 ");
    // Of what ends, a store that is shared is asked for the time.
    expectTaken(answered, what.includes("preview") && !options.exclusive ? 3 : 0);
  });

  test.each(LEFT)("%s, which it leaves to them", async (_what, ask) => {
    await world.both(written(question(world.app, PRO)));
    const { lane } = await answeredAlike(world, thrice(await ask(world)));
    expect(lane).toMatch(/^HTTP\/1\.1 \d/);
  });

  test("in any order on one connection, each body is its own request's", async () => {
    const asked = [
      question(world.app, PRO),
      question(world.app, '{"context":'),
      question(world.app, { context: { plan: "free" } }),
      question(world.over, PRO),
      question(world.app, null),
      question(world.app, { context: "me" }),
      question(world.app, PRO),
    ];
    const request = asked.map((one) => written(one, "keep-alive")).join("") + written(question(world.app, PRO));
    expect(statusesOf(await answeredAlike(world, request))).toEqual("200 400 200 401 200 400 200 200".split(" "));
  });

  test.each([
    ["without tokens", { auth: false }],
    ["where pages of other origins may ask", { settings: { ofrepCorsOrigins: [CORS_ORIGIN] } }],
  ] as readonly (readonly [string, { auth?: boolean; settings?: Partial<typeof SETTINGS> }])[])("%s too", async (_what, more) => {
    const world = await flagDoors({ ...options, ...more });
    for (const path of [NAMED, BULK]) {
      for (const headers of [[], ["If-None-Match: *"], [`Origin: ${CORS_ORIGIN}`], ["Origin: https://evil.example"]]) {
        await answeredAlike(world, written(question(world.app, PRO, { path, headers })));
      }
    }
    expect((await world.both(written(question(world.app, PRO, { path: NAMED })))).asked).toBe(0);
  });

  test.each(["perToken", "perAddress"] as const)("as many requests as there may be %s, and not one more", async (which) => {
    rateClockStands();
    const requestsPerSecond = { perToken: 1_000, perAddress: 1_000, [which]: 1 };
    const world = await flagDoors({ ...options, settings: { requestsPerSecond } });
    const statuses: string[] = [];
    for (let sent = 0; sent < 4; sent++) statuses.push((await world.both(written(question(world.app, PRO)))).lane.slice(9, 12));
    expect(statuses).toEqual(["200", "200", "429", "429"]);
  });
});

describe.each(STORES)("whatever happens, the next evaluation knows of it, %s", (_store, options) => {
  const evaluated = async (world: FlagDoors, asked: Asked) => {
    const { lane, routes } = await world.both(written(asked));
    expect(lane).toBe(routes);
    return lane;
  };

  test("each edit of a flag", async () => {
    const world = await flagDoors(options);
    for (let n = 0; n < 10; n++) {
      await world.project.configure("staging", { flags: { round: n % 2 === 0 } });
      const round = new RegExp(`"key":"round",[^}]*"value":${n % 2 === 0}`);
      for (let time = 0; time < 2; time++) expect(await evaluated(world, question(world.app, PRO))).toMatch(round);
    }
  });

  test("a token that is revoked, rotated or over", async () => {
    const world = await flagDoors(options);
    const { domain, clock, app, other, tokens } = world;
    const status = async (token: string) => (await evaluated(world, question(token, PRO, { path: NAMED }))).slice(9, 12);
    for (const token of [app, other, tokens.brief, app, other, tokens.brief]) expect(await status(token)).toBe("200");
    await domain.tokens.revoke(ROOT, app.slice(5, 21));
    expect(await status(app)).toBe("401");
    await domain.tokens.rotate(ROOT, other.slice(5, 21), { overlap: "10m" });
    // With its next secret, a token has other tickets.
    expect(await status(other)).toBe("200");
    pass(clock, "10m");
    expect(await status(other)).toBe("401");
    pass(clock, "20m");
    expect(await status(tokens.brief)).toBe("401");
  });

  test("a token that is revoked before all of the body is there", async () => {
    const world = await flagDoors(options);
    const request = written(question(world.app, PRO));
    for (let time = 0; time < 2; time++) await world.both(request);
    const whole = await world.inTwo(request, async () => {});
    expect(statusesOf(whole)).toEqual(["200"]);
    expect(whole.lane).toBe(whole.routes);
    const { lane, routes } = await world.inTwo(request, () => world.domain.tokens.revoke(ROOT, world.app.slice(5, 21)));
    expect(statusesOf({ lane })).toEqual(["401"]);
    expect(lane).toBe(routes);
  });

  test("an hour that is over has other tickets", async () => {
    const world = await flagDoors(options);
    const ticketOf = async () => /ticket=([^"]+)/.exec(await evaluated(world, question(world.app, PRO)))?.[1];
    const first = await ticketOf();
    expect(await ticketOf()).toBe(first);
    world.clock.time += LIMITS.ticketMs;
    expect(await ticketOf()).not.toBe(first);
  });
});

test("the store is asked nothing for whoever shows no token, one that was never seen, or is over what their address may", async () => {
  rateClockStands();
  const world = await flagDoors({ exclusive: false, settings: { requestsPerSecond: { perToken: 1_000, perAddress: 1 } } });
  const confirm = vi.spyOn(world.domain.readIndex, "confirm");
  await world.both(written(question(null, PRO, { path: NAMED })));
  await world.both(written(question(`envm_${"0".repeat(16)}_${"A".repeat(43)}`, PRO, { path: NAMED })));
  expect((await world.both(written(question(world.app, PRO)))).lane).toMatch(/^HTTP\/1\.1 429/);
  expect(confirm).not.toHaveBeenCalled();
});

test("what it answers is counted as what the routes answer", async () => {
  const world = await flagDoors();
  for (let n = 0; n < 3; n++) await world.both(written(question(world.app, PRO)));
  await world.both(written(question(world.app, "{")));
  const { lane, routes } = await world.counted();
  expect(lane).toEqual(routes);
  expect(lane).toContainEqual(["evaluateFlags", "200", "3"]);
});

describe("whoever leaves before there is a reply is counted as 499, as the routes count it", () => {
  test("in the middle of a body", async () => {
    const world = await flagDoors();
    await world.both(written(question(world.app, PRO)));
    await world.leave(written(question(world.app, PRO)).slice(0, -1));
    await countsAsLeft(world, "evaluateFlags");
  });

  test.each(["evaluateFlags", "getConfig", "getActive"])("while the store is asked: %s", async (operation) => {
    const world = await flagDoors({ exclusive: false });
    const asks = {
      evaluateFlags: question(world.app, PRO),
      getConfig: { token: world.tokens.reader },
      getActive: { token: world.tokens.reader, path: ACTIVE },
    };
    const request = written(asks[operation as keyof typeof asks]);
    await world.both(request);
    const { readIndex } = world.domain;
    const confirm = readIndex.confirm.bind(readIndex);
    let answer = () => {};
    const answers = new Promise<void>((resolve) => {
      answer = resolve;
    });
    vi.spyOn(readIndex, "confirm").mockImplementation((partitions) => answers.then(() => confirm(partitions)));
    await world.leave(request);
    answer();
    await countsAsLeft(world, operation);
  });

  test("while it waits for news", async () => {
    const world = await flagDoors();
    const { reader } = world.tokens;
    const head = await world.project.revisionNumber("staging");
    await world.leave(written({ token: reader, path: `${ACTIVE}?wait=30s&after=${head}` }));
    await countsAsLeft(world, "getActive");
  });
});

async function countsAsLeft({ counted }: FlagDoors, operation: string): Promise<void> {
  const left = expect.arrayContaining([[operation, "499", "1"]]);
  await expect.poll(counted).toEqual({ lane: left, routes: left });
}
