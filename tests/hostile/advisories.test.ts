import { createServer as createHttpServer, type Server } from "node:http";
import { type AddressInfo, Server as NetServer } from "node:net";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createServer } from "../../src/http/server.ts";
import { LIMITS } from "../../src/limits.ts";
import { domainOf, SETTINGS, serveApp } from "../http/support.ts";
import { type Members, useEngine } from "../support/engine.ts";
import { expectError, type Project } from "../support/project.ts";
import { ask, type Issued, issue, operationsOf, type Question, ROOT, succeed } from "./support.ts";
import { projectNamed, twoProjects } from "./two-projects.ts";

/** Weaknesses that engines of this kind have had: this one has none of them. Here, those of requests; those of names, of rights and of what is
 * told are in `advisories-names.test.ts`, `advisories-rights.test.ts` and `leaks.test.ts`. */

const engine = useEngine({ token: ROOT });
let mine: Project;
let theirs: Project;
let mallory: Issued;
let alice: Issued;
beforeAll(async () => {
  ({ mine, theirs, mallory, alice } = await twoProjects(engine));
});

const as = (token: string, question: Question) => ask(engine, { ...question, token });
const post = (path: string, body: unknown): Question => ({ method: "POST", path, body });

// CVE-2025-6011: how long a log-in took told which users there are. What it costs: `credentials.test.ts`.
test("whoever fails to log in is told the same, whatever was wrong", async () => {
  const wrong = [
    `${mallory.token.slice(0, -1)}~`,
    `${mallory.token.slice(0, -43)}${"A".repeat(43)}`,
    `envm_${"0".repeat(16)}_${"A".repeat(43)}`,
    `${ROOT}x`,
    ROOT.slice(1),
    "x",
  ];
  for (const way of [
    (token: string) => ask(engine, { ...post("/session", { token }), token: null }),
    (token: string) => as(token, { path: "/env" }),
  ]) {
    const replies = await Promise.all(wrong.map(way));
    const seen = replies.map(({ status, headers, body }) => ({
      status,
      headers: { ...headers, date: "", "x-request-id": "", "content-length": "" },
      body: { ...(body as Members), request_id: "" },
    }));
    for (const reply of seen) expect(reply).toEqual(seen[0]);
    expect(seen[0]?.status).toBe(401);
  }
});

// CVE-2025-6203: JSON that is small to send and dear to read.
describe("JSON that is made to be dear is refused, and others are answered meanwhile", () => {
  const MIB = LIMITS.bodyBytes;
  const members = (count: number, name: (index: number) => string, value = "0") =>
    `{"vars":{${Array.from({ length: count }, (_, index) => `"${name(index)}":${value}`).join(",")}}}`;

  test.each<readonly [string, () => string]>([
    ["1 MiB of opened lists", () => "[".repeat(MIB)],
    ["1 MiB of opened objects", () => '{"a":'.repeat(MIB / 5)],
    [
      "lists as deep as may be and one more, many times",
      () => `{"vars":[${Array.from({ length: 5_000 }, () => "[".repeat(64) + "]".repeat(64)).join(",")}]}`,
    ],
    ["more members than there may be", () => members(60_000, (index) => `k${index}`)],
    ["more elements than there may be", () => `{"unset":[${"0,".repeat(400_000)}0]}`],
    ["as many members as there may be, the last of them twice", () => members(40_000, (index) => `k${Math.min(index, 39_998)}`)],
    ["names that differ at their ends alone", () => members(9_000, (index) => `${"x".repeat(90)}${index}`)],
    ["names that are numbers, and multiples of one another", () => members(40_000, (index) => String(index * 4_096))],
    ["names that are one when they are read", () => members(2, (index) => (index === 0 ? "\\u0041".repeat(50_000) : "A".repeat(50_000)))],
    ["1 MiB of one string that does not end", () => `{"vars":{"A":"${"\\u0041".repeat(MIB / 6 - 10)}`],
    ["1 MiB of white space", () => " ".repeat(MIB)],
    ["1 MiB of commas", () => `{"a":[${",".repeat(MIB - 10)}]}`],
    ["1 MiB of backslashes", () => `{"a":"${"\\".repeat(MIB - 10)}`],
    ["1 MiB of digits", () => `{"a":${"1".repeat(MIB - 10)}}`],
  ])("%s", async (_what, body) => {
    const text = body();
    expect(text.length).toBeLessThanOrEqual(MIB);
    const [reply, ...others] = await Promise.all([
      as(mallory.token, { method: "PATCH", path: mine.path("staging", "config"), body: text }),
      ask(engine, { path: "/healthz", token: null }),
      as(alice.token, { path: theirs.path("staging", "config") }),
    ]);
    expect(reply.status, reply.text.slice(0, 500)).toBeGreaterThanOrEqual(400);
    expect(reply.status).toBeLessThan(500);
    expect(reply.text.length).toBeLessThan(10_000);
    expect(others.map(({ status }) => status)).toEqual([200, 200]);
  });

  test("what is to be signed is not read before it is known who signed it: whoever has no token has nothing made of what they send", async () => {
    const path = mine.path("staging", "git", "hook");
    const signature = { "x-github-event": "push", "x-hub-signature-256": `sha256=${"0".repeat(64)}` };
    for (const body of ["no JSON", "[".repeat(LIMITS.pushBytes), `{"a":[${"[],".repeat(LIMITS.pushBytes / 3 - 10)}0]}`]) {
      for (const headers of [{}, signature]) {
        const reply = await ask(engine, { ...post(path, body), headers: { "content-type": "application/json", ...headers }, token: null });
        expectError(reply, 401, "unauthorized");
      }
    }
  });

  test("names with one hash are told apart", async () => {
    // Equal as FNV-1a hashes of 32 bits, with whatever follows.
    const vars = Object.fromEntries(["Kqbu", "K6apa", "Kqbu_1", "K6apa_1", "Kqbv", "K6apb"].map((name) => [name, name]));
    await mine.patchConfig("staging", { vars });
    expect((await mine.config("staging")).vars).toMatchObject(vars);
  });
});

// CVE-2026-22739, CVE-2026-40981: a path named another profile, an address made the server call it, a header named the project.
describe("a header says nothing but what HTTP gives it to say", () => {
  const HEADERS = {
    "x-project": "mine-1",
    "x-project-id": "mine-1",
    "x-vault-namespace": "root",
    "x-original-url": "/healthz",
    "x-rewrite-url": "/healthz",
    "x-forwarded-prefix": "/env/mine-1",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "https",
    "x-forwarded-for": "203.0.113.7",
    "x-real-ip": "127.0.0.1",
    forwarded: 'for=127.0.0.1;host=evil.example;proto=https;by="_x"',
    "x-remote-user": "root",
    "x-user": "root",
    "x-token": ROOT,
    "x-api-key": ROOT,
    "x-vault-token": ROOT,
    "x-http-method-override": "DELETE",
    "x-http-method": "DELETE",
    "x-method-override": "DELETE",
  };

  test.each(Object.entries(HEADERS))("%s: %s", async (name, value) => {
    const headers = { [name]: value.replace("mine-1", mine.id), "x-request-id": "same" };
    const plain = { "x-request-id": "same" };
    for (const question of [
      { path: theirs.path("staging", "config") },
      { path: mine.path("staging", "config") },
      post(`/tokens/${mallory.id}`, {}),
      { path: "/tokens" },
      post("/session", { token: mallory.token }),
    ]) {
      const [with_, without] = [
        await as(mallory.token, { ...question, headers }),
        await as(mallory.token, { ...question, headers: plain }),
      ];
      const told = ({ status, text }: { status: number; text: string }) => ({
        status,
        text: text.replace(/"(expires|last_used)_at":"[^"]*"/g, ""),
      });
      expect(told(with_)).toEqual(told(without));
      expect(with_.headers["strict-transport-security"]).toBeUndefined();
      expect(String(with_.headers["set-cookie"])).not.toMatch(/Secure|evil/);
      expect(`${with_.text}${JSON.stringify(with_.headers)}`).not.toContain("evil.example");
    }
    expectError(await ask(engine, { path: "/tokens", token: null, headers }), 401, "unauthorized");
    expect((await as(mallory.token, { path: "/session" })).status).toBe(200);
  });

  test("an actor is taken from a sibling engine alone", async () => {
    expectError(await as(mallory.token, { path: "/session", headers: { "x-actor": "alice" } }), 403, "forbidden");
    expectError(await ask(engine, { path: "/session", headers: { "x-actor": "alice" } }), 403, "forbidden");
    const { token } = await issue(engine, { role: "engine", projects: [mine.id] });
    for (const actor of ["root", "Auto-Promotion", "", "a\u00e9", "a".repeat(101)]) {
      expectError(await as(token, { path: "/session", headers: { "x-actor": actor } }), 400, "invalid_request");
    }
  });

  test("who sends a request is the connection's other end, and what a proxy says counts where it is trusted", async () => {
    const domain = domainOf({ environments: { projects: async () => ({ items: [], next_cursor: null }) } });
    const statuses = async (trustedProxies: readonly string[]) => {
      const askApp = await serveApp(domain, {
        settings: { ...SETTINGS, trustedProxies, requestsPerSecond: { perToken: 1_000, perAddress: 1 } },
      });
      const replies = Array.from({ length: 40 }, (_, index) =>
        askApp({ path: "/env", headers: { "x-forwarded-for": `203.0.113.${index}` } }),
      );
      return new Set((await Promise.all(replies)).map(({ status }) => status));
    };
    expect(await statuses([])).toEqual(new Set([200, 429]));
    expect(await statuses(["10.0.0.0/8"])).toEqual(new Set([200, 429]));
    expect(await statuses(["loopback"])).toEqual(new Set([200]));
  });

  test("no address that a request names is called", async () => {
    let calls = 0;
    const trap: Server = createHttpServer((_request, response) => {
      calls++;
      response.end();
    });
    await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
    trap.on("connection", () => calls++);
    const url = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/trap`;
    const project = await projectNamed(engine, "called");
    const headers = { referer: url, origin: engine.url, "x-forwarded-host": url, "x-callback": url, link: `<${url}>` };
    const requests: readonly Question[] = [
      post("/env/deployments", {
        project_id: project.id,
        env: "staging",
        version: "v0.1.0",
        revision: 1,
        status: "deployed",
        url,
        version_id: url,
      }),
      post("/env/create", {
        project_id: project.id,
        new_environment: "pr-1",
        type: "preview",
        source_ref: url,
        env_variables: { HOOK: url, DATABASE: url.replace("//", "//a:b@") },
      }),
      { method: "PATCH", path: project.path("staging", "state"), body: { set: { "webhooks/a": { url, $ref: url } }, message: url } },
      {
        method: "PATCH",
        path: project.path("staging", "config"),
        body: { flags: { beta: { state: "ENABLED", variants: { on: url }, targeting: { $ref: url } } } },
      },
      post("/session", { token: `${Buffer.from(`{"alg":"RS256","jku":"${url}","x5u":"${url}"}`).toString("base64url")}.e30.x` }),
    ];
    for (const question of requests) expect((await ask(engine, { ...question, headers })).status).toBeLessThan(500);
    for (const path of ["/readyz", project.path(), project.path("staging", "active"), project.path("staging", "runtime")])
      await succeed(engine, { path });
    expect(calls).toBe(0);
    await new Promise((resolve) => trap.close(resolve));
  });
});

// CVE-2025-6000, CVE-2026-41002: the API made files wherever it was told to, or was led to some by a link.
test("no field of a request names a file or a folder", async () => {
  const fields = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const name of Object.keys((value as { readonly properties?: object }).properties ?? {})) fields.add(name);
    for (const member of Object.values(value)) walk(member);
  };
  for (const { names, query, schema } of await operationsOf(engine)) {
    for (const name of [...names, ...query]) fields.add(name);
    walk(schema);
  }
  expect(fields.size).toBeGreaterThan(30);
  // `path` is the folder within a repository that an environment follows: Git's, of which nothing is written out.
  expect([...fields].filter((name) => /file|folder|^dir|directory|mount|socket|path/i.test(name))).toEqual(["path"]);
});

// CVE-2020-7219: connections without end.
test("a server takes as many connections as its limit says, and waits for none for ever", async () => {
  const listen = vi.spyOn(NetServer.prototype, "listen");
  const bounded = createServer(Promise.resolve(() => {}));
  await bounded.listen(0, "127.0.0.1");
  const [server] = listen.mock.contexts as Server[];
  listen.mockRestore();
  expect(server).toMatchObject({
    maxConnections: LIMITS.connections,
    headersTimeout: LIMITS.headersMs,
    requestTimeout: LIMITS.requestMs,
    keepAliveTimeout: LIMITS.keepAliveMs,
    timeout: LIMITS.stalledMs,
  });
  for (const bound of [LIMITS.connections, LIMITS.headersMs, LIMITS.requestMs, LIMITS.keepAliveMs, LIMITS.stalledMs])
    expect(bound).toBeGreaterThan(0);
  await bounded.close(0);
});
