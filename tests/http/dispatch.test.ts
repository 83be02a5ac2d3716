import express from "express";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { apiRoutes } from "../../src/http/routes/index.ts";
import { type Access, openAccess, ROOT } from "../access/support.ts";
import { auditRecords, PROJECT } from "../domain/support.ts";
import { type Asked, CONFIG, exchange, listening, type Options, plain, STORES, written } from "./doors.ts";
import { ROOT_TOKEN, rateClockStands } from "./support.ts";

const STATE = `/env/${PROJECT}/staging/state`;
const ROLES = ["editor", "reader", "engine"] as const;
type Tokens = Readonly<Record<(typeof ROLES)[number] | "root", string>>;

/** Two engines to which the same happens: one that goes past the router where it can, one that never does. */
interface Twins {
  /** What both answer, and how many of the requests the first one's router saw. */
  both(requests: (tokens: Tokens) => string): Promise<{ readonly past: string; readonly routed: string; readonly seen: number }>;
  /** What both have in their audit logs. */
  logs(): Promise<readonly [string, string]>;
}

const router = vi.spyOn(express.application as unknown as { handle: () => void }, "handle");

async function twins(options: Options = {}): Promise<Twins> {
  const [first, second] = [await twin(true, options), await twin(false, options)];
  return {
    async both(requests) {
      const before = router.mock.calls.length;
      const past = await first.answer(requests);
      const seen = router.mock.calls.length - before;
      return { past, routed: await second.answer(requests), seen };
    },
    logs: async () => [await first.log(), await second.log()],
  };
}

async function twin(fastLane: boolean, { exclusive = true, ...options }: Options) {
  const access = await openAccess(undefined, undefined, exclusive);
  const { domain, project } = access;
  await project.create("staging", { env_variables: { GREETING: "grüß dich 🚀", MODE: "test" } });
  await project.create("production");
  const tokens = await tokensOf(access);
  const port = await listening(domain, { ...options, fastLane });
  const neutral = (text: string) =>
    Object.entries(tokens).reduce((shown, [role, token]) => shown.replaceAll(token.slice(5, 21), `id-of-${role}`), plain(text));
  return {
    answer: async (requests: (tokens: Tokens) => string) => neutral(await exchange(port, requests(tokens))),
    log: async () => neutral(JSON.stringify(await auditRecords(access.store))),
  };
}

/** Streams do not end, tokens are listed in the order of ids that are made up, and an export is signed with a key of its engine's. */
const COMPARABLE = apiRoutes.filter(({ events, operationId }) => !events && operationId !== "listTokens" && operationId !== "exportAudit");

/** Without what depends on ids and keys that are made up. */
function blurred(text: string): string {
  return text.replace(/[0-9a-f]{16,64}|request-\d+/g, "some-hash").replace(/"(x|kid|key_id|signature)":"[^"]+"/g, '"$1":"made-up"');
}

async function tokensOf({ domain }: Access): Promise<Tokens> {
  const made = { root: ROOT_TOKEN } as Record<string, string>;
  for (const role of ROLES) made[role] = (await domain.tokens.create(ROOT, { name: `one ${role}`, role, projects: [PROJECT] })).token;
  return made as Tokens;
}

type Case = readonly [what: string, asked: Asked & { readonly as?: keyof Tokens | null }, status: number];
const json = (body: unknown, ...headers: readonly string[]): Asked => {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  // Sent one character for each byte.
  return {
    body: Buffer.from(text).toString("latin1"),
    headers: ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(text)}`, ...headers],
  };
};
const patch = (body: unknown, ...headers: readonly string[]): Asked => ({ method: "PATCH", path: CONFIG, ...json(body, ...headers) });
const change = (path: string, body: unknown, method = "POST"): Asked => ({ method, path, ...json(body) });
const ONE = { vars: { N: "1" } };

const PAST: readonly Case[] = [
  ["a change of config", patch(ONE), 200],
  ["a change that changes nothing", patch({ vars: { MODE: "test" } }), 200],
  ["a change of state", change(STATE, { set: { "flows/a": { steps: ["ä"] } }, message: "more" }, "PATCH"), 200],
  ["a whole state", change(STATE, { state: { flows: { b: 1 } } }, "PUT"), 200],
  ["a new environment", change("/env/create", { project_id: PROJECT, new_environment: "qa", base_from: "staging" }), 201],
  ["a promotion that is planned", { ...change("/env/promote", { ...between(), dry_run: true }), as: "root" }, 200],
  ["a rollback", change("/env/rollback", { project_id: PROJECT, env: "staging", to: 1 }), 200],
  ["an archived environment", change("/env/archive", { project_id: PROJECT, env: "production" }), 200],
  ["as root", { ...patch(ONE), as: "root" }, 200],
  ["for somebody, as an engine", { ...patch(ONE, "X-Actor: ann"), as: "engine" }, 200],
  ["with an id of its own", patch(ONE, "X-Request-Id: mine-1"), 200],
  ["with two ids", patch(ONE, "X-Request-Id: a", "X-Request-Id: b"), 200],
  ["with a key", patch(ONE, "Idempotency-Key: k-1"), 200],
  ["with a key that came with another request", patch({ vars: { N: "2" } }, "Idempotency-Key: k-1"), 422],
  ["with a key that is none", patch(ONE, "Idempotency-Key: a b"), 400],
  ["on whatever there is", patch(ONE, "If-Match: *"), 200],
  ["on what is there no more", patch(ONE, 'If-Match: "old"'), 412],
  ["on what is no tag", patch(ONE, "If-Match: old"), 400],
  ["from a page of the engine's own", patch(ONE, "Origin: http://127.0.0.1"), 200],
  ["from a page elsewhere", patch(ONE, "Origin: https://evil.example"), 403],
  ["in pieces", { ...patch(ONE), ...chunked(JSON.stringify(ONE)) }, 200],
  ["with an expectation", patch(ONE, "Expect: 100-continue"), 200],
  ["in HTTP/1.0", { ...patch(ONE), version: "1.0" }, 200],
  ["with proxies' headers that nobody is believed", patch(ONE, "X-Forwarded-For: 8.8.8.8", "X-Forwarded-Proto: https"), 200],
  ["without a token", { ...patch(ONE), as: null }, 401],
  ["with a token that nobody has", { ...patch(ONE, `Authorization: Bearer envm_${"0".repeat(16)}_${"A".repeat(43)}`), as: null }, 401],
  ["with two tokens", patch(ONE, "Authorization: Bearer another"), 401],
  ["with a cookie that is none", { ...patch(ONE, "Cookie: envm_session=x"), as: null }, 403],
  ["as somebody who may not", { ...patch(ONE), as: "reader" }, 403],
  ["for somebody, as no engine", patch(ONE, "X-Actor: ann"), 403],
  ["in an environment that there is not", { ...patch(ONE), path: `/env/${PROJECT}/nothing/config` }, 404],
  ["in a project that there is not", { ...patch(ONE), path: "/env/nothing/staging/config" }, 404],
  ["in what is named like a route", { ...patch(ONE), path: `/env/${PROJECT}/create/config`, as: "root" }, 400],
  ["to another host", { ...patch(ONE), host: ["Host: evil.example"] }, 403],
  ["without a body", { method: "PATCH", path: CONFIG }, 400],
  ["with an empty body", patch("{}"), 200],
  ["with what is no JSON", patch("{"), 400],
  ["with a member twice", patch('{"vars":{},"vars":{}}'), 400],
  ["with a field that there is not", patch({ variables: {} }), 400],
  ["with a field of another kind", patch({ vars: [] }), 400],
  ["with another kind of body", { ...patch(ONE), headers: ["Content-Type: text/plain", "Content-Length: 2"], body: "{}" }, 415],
  ["with a compressed body", patch(ONE, "Content-Encoding: gzip"), 415],
  ["with a body that is too large", patch(JSON.stringify({ vars: { N: "x".repeat(1_100_000) } })), 413],
  ["a read that no lane takes", { path: `/env/${PROJECT}/staging` }, 200],
  ["the same by HEAD", { method: "HEAD", path: `/env/${PROJECT}/staging` }, 200],
];

const ROUTED: readonly Case[] = [
  ["with a query that there is not", { ...patch(ONE), path: `${CONFIG}?x=1` }, 400],
  ["with an empty query", { ...patch(ONE), path: `${CONFIG}?` }, 200],
  ["with an encoded letter", { ...patch(ONE), path: `/env/${PROJECT}/%73taging/config` }, 200],
  ["with a broken encoding", { ...patch(ONE), path: `/env/${PROJECT}/%7/config` }, 400],
  ["with a slash at the end", { ...patch(ONE), path: `${CONFIG}/` }, 404],
  ["with two slashes", { ...patch(ONE), path: `/env//${PROJECT}/staging/config` }, 404],
  ["with capital letters", { ...patch(ONE), path: `/env/${PROJECT}/staging/CONFIG` }, 404],
  ["by a method that the path does not have", { ...patch(ONE), method: "DELETE" }, 405],
  ["by a method of a wider path", { ...patch(ONE), path: `/env/${PROJECT}/versions/config` }, 405],
  ["by OPTIONS", { method: "OPTIONS", path: CONFIG }, 405],
  ["to a path that there is not", { ...patch(ONE), path: "/nothing" }, 404],
];

function between() {
  return { project_id: PROJECT, source_env: "staging", target_env: "production" };
}

function chunked(text: string): Asked {
  const pieces = [text.slice(0, 5), text.slice(5), ""].map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  return { headers: ["Content-Type: application/json", "Transfer-Encoding: chunked"], body: pieces.join("") };
}

function bytesOf({ as = "editor", ...asked }: Case[1], tokens: Tokens): string {
  return written({ ...asked, token: as === null ? null : tokens[as] });
}

describe.each(STORES)("a request that goes past the router is answered as the router's are, byte by byte, %s", (_store, options) => {
  let world: Twins;
  beforeAll(async () => {
    world = await twins(options);
  });

  test.each(PAST)("%s, which goes past it", async (_what, asked, status) => {
    for (let time = 0; time < 2; time++) {
      const { past, routed, seen } = await world.both((tokens) => bytesOf(asked, tokens));
      expect(past).toBe(routed);
      expect(seen).toBe(0);
      if (time === 0) expect(past).toMatch(new RegExp(`HTTP/1\\.1 ${status} `));
    }
  });

  test.each(ROUTED)("%s, which is left to it", async (_what, asked, status) => {
    const { past, routed, seen } = await world.both((tokens) => bytesOf(asked, tokens));
    expect(past).toBe(routed);
    expect(seen).toBe(1);
    expect(past).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  test.each(COMPARABLE.map(({ method, path }) => [method.toUpperCase(), path] as const))(
    "%s %s, by whoever may and whoever may not",
    async (method, path) => {
      const concrete = path.replace(":project", PROJECT).replace(":env", "staging").replace(/:\w+/g, "1");
      for (const as of ["root", "reader", null] as const) {
        const asked: Asked = method === "GET" ? { path: concrete } : change(concrete, {}, method);
        const { past, routed, seen } = await world.both((tokens) => bytesOf({ ...asked, as }, tokens));
        expect(blurred(past)).toBe(blurred(routed));
        expect(seen).toBe(0);
      }
    },
  );

  test("and leaves the same in the audit log", async () => {
    const [past, routed] = await world.logs();
    expect(blurred(past)).toBe(blurred(routed));
    expect(JSON.parse(past).length).toBeGreaterThan(10);
  });
});

test("many on one connection are answered in their order", async () => {
  const world = await twins();
  const { past, routed, seen } = await world.both((tokens) => {
    const changes = ["1", "2", "3"].map((n) => ({ ...patch({ vars: { N: n } }), token: tokens.editor }));
    return `${changes.map((asked) => written(asked, "keep-alive")).join("")}${written({ token: tokens.reader })}`;
  });
  expect(past).toBe(routed);
  expect([...past.matchAll(/"revision":(\d+)/g)].map(([, revision]) => revision).slice(0, 3)).toEqual(["2", "3", "4"]);
  expect(seen).toBe(0);
});

test("without tokens too", async () => {
  const world = await twins({ auth: false });
  for (const asked of [patch(ONE), patch(ONE, "X-Actor: ann"), { ...patch(ONE), host: ["Host: evil.example"] }]) {
    const { past, routed, seen } = await world.both(() => written(asked));
    expect(past).toBe(routed);
    expect(seen).toBe(0);
  }
});

test("behind proxies that are believed, what they forward is the router's", async () => {
  const world = await twins({ settings: { trustedProxies: ["127.0.0.1"] } });
  for (const header of ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: env.example"]) {
    const { past, routed, seen } = await world.both((tokens) => bytesOf(patch(ONE, header), tokens));
    expect(past).toBe(routed);
    expect(past.includes("strict-transport-security")).toBe(header.endsWith("https"));
    expect(seen).toBe(header.endsWith("example") ? 0 : 1);
  }
});

test.each(["perToken", "perAddress"] as const)("as many requests as there may be %s, and not one more", async (which) => {
  rateClockStands();
  const world = await twins({ settings: { requestsPerSecond: { perToken: 1_000, perAddress: 1_000, [which]: 1 } } });
  const statuses: string[] = [];
  for (let sent = 0; sent < 4; sent++) {
    const { past, routed } = await world.both((tokens) => bytesOf(patch(ONE), tokens));
    expect(past.replace(/retry.after[^\r,]*/gi, "")).toBe(routed.replace(/retry.after[^\r,]*/gi, ""));
    statuses.push(past.slice(9, 12));
  }
  expect(statuses).toEqual(["200", "200", "429", "429"]);
});

test("what goes past the router is counted as what the router finds", async () => {
  const world = await twins();
  for (const asked of [patch(ONE), patch("{"), { ...patch(ONE), as: "reader" as const }])
    await world.both((tokens) => bytesOf(asked, tokens));
  const { past, routed } = await world.both(() => written({ path: "/metrics" }));
  const counts = (text: string) => [...text.matchAll(/_count\{operation="(\w+)",status="(\d+)"\} (\d+)/g)].map(([, ...found]) => found);
  expect(counts(past)).toEqual([
    ["patchConfig", "200", "1"],
    ["patchConfig", "400", "1"],
    ["patchConfig", "403", "1"],
  ]);
  expect(counts(past)).toEqual(counts(routed));
});
