import { beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import type { Members } from "../support/engine.ts";
import { useEngine } from "../support/engine.ts";
import { expectError, expectRefused, Project } from "../support/project.ts";
import { ask, filled, issue, type Operation, operationsOf, type Question, ROOT, rawRequest, sendRaw, succeed } from "./support.ts";

/** What is sent to break the engine or to get out of it: each request is refused in words, and nothing else feels it. */

const engine = useEngine({ token: ROOT });
let project: Project;
let operations: readonly Operation[];
let reader = "";
/** What fits each parameter of a path. */
let names: Readonly<Record<string, string>>;

beforeAll(async () => {
  project = new Project(engine, "hostile");
  await project.create("development", { env_variables: { REGION: "eu", API_KEY: "one" } });
  await project.putState("development", { flows: { onboarding: { steps: 1 } } });
  await project.create("staging", { base_from: "development" });
  operations = await operationsOf(engine);
  const issued = await issue(engine, { role: "reader", projects: [project.id], envs: ["staging"] });
  reader = issued.token;
  names = {
    project: project.id,
    env: "staging",
    collection: "flows",
    name: "onboarding",
    version: "v0.2.0",
    n: "1",
    id: issued.id,
  };
});

const mark = () => project.mark("development", "staging");

/** The example of an operation's body, about what there is: `own` replaces what it names. */
function example(
  { example: given }: Operation,
  own: Readonly<Record<string, string>> = about(project.id, "development", "staging"),
): Members {
  return Object.fromEntries(Object.entries(given ?? {}).map(([name, value]) => [name, own[name] ?? value]));
}

const about = (project_id: string, source_env: string, target_env: string) => ({
  project_id,
  source_env,
  target_env,
  env: target_env,
  base_from: source_env,
  new_environment: "made",
});

const withBody = () => operations.filter(({ example: body }) => body !== null);

describe("names that JavaScript has a use for pollute no prototype", () => {
  /** What would change somebody's request if it were taken from a prototype. */
  const POLLUTION = {
    polluted: "yes",
    dry_run: true,
    force: true,
    role: "admin",
    grants: [{ role: "admin", projects: ["*"], envs: ["*"], rights: ["secrets:reveal"] }],
    rights: ["secrets:reveal"],
    limit: 1,
    at: 1,
    bodies: true,
  };
  // Made from text: in a literal, `__proto__` is no member.
  const hostile = (): Members =>
    JSON.parse(`{"__proto__":${JSON.stringify(POLLUTION)},"constructor":{"prototype":${JSON.stringify(POLLUTION)}}}`);

  /** A body once for each object in it, which has the hostile members too. */
  function* poisoned(value: unknown): Generator<unknown> {
    if (typeof value !== "object" || value === null) return;
    if (!Array.isArray(value)) yield { ...value, ...hostile() };
    for (const [name, member] of Object.entries(value)) {
      for (const changed of poisoned(member))
        yield Array.isArray(value) ? value.with(Number(name), changed) : { ...value, [name]: changed };
    }
  }

  /** A body once for each field that the operation knows, with what is hostile in its place. */
  const replaced = ({ schema }: Operation, body: Members): readonly Members[] =>
    Object.keys((schema?.properties ?? {}) as Members).map((field) => ({ ...body, [field]: hostile() }));

  /** What several people see, in which a polluted prototype would show: as text, since that is what they get. */
  async function seen(): Promise<readonly string[]> {
    const questions: readonly Question[] = [
      { path: "/session", token: reader },
      { path: project.path("staging", "state"), token: reader },
      { path: project.path("staging", "revisions") },
      { path: project.path("development", "config"), token: reader },
      { path: project.path("staging", "runtime"), token: reader },
      { path: "/env/compare?limit=1" },
      { path: `/env/compare?project_id=${project.id}&left=development&right=staging` },
    ];
    const replies = await Promise.all(questions.map((question) => ask(engine, { ...question, headers: { "x-request-id": "same" } })));
    return replies.map(({ status, text, headers }) => `${status} ${headers.etag} ${text}`);
  }

  test("in no object of any body: whoever comes next is answered as before", async () => {
    const victim = new Project(engine, "victim");
    await victim.create("one", { env_variables: { API_URL: "https://example.com", API_KEY: "one" } });
    await victim.create("two", { base_from: "one" });
    const before = await seen();
    let sent = 0;
    for (const operation of withBody()) {
      const path = filled(operation.path, { ...names, project: victim.id, env: "two" });
      const body = example(operation, about(victim.id, "one", "two"));
      for (const bad of [...poisoned(body), ...replaced(operation, body)]) {
        const { status, text } = await ask(engine, { method: operation.method, path, body: bad });
        expect(status, `${operation.id} ${JSON.stringify(bad)}: ${text}`).toBeLessThan(500);
        sent++;
      }
      expect(await seen(), operation.id).toEqual(before);
    }
    expect(sent).toBeGreaterThan(100);
  });

  test("in no query", async () => {
    const members = ["__proto__=x", "__proto__[polluted]=x", "__proto__.polluted=x", "constructor=x", "constructor[prototype][polluted]=x"];
    const before = await seen();
    for (const operation of operations.filter(({ method }) => method === "GET")) {
      for (const member of members) {
        const path = `${filled(operation.path, names)}?${member.replaceAll("[", "%5B").replaceAll("]", "%5D")}`;
        expectError(await ask(engine, { path }), 400, "invalid_request");
      }
    }
    expect(await seen()).toEqual(before);
  });

  test("in no header", async () => {
    const before = await seen();
    const reply = await sendRaw(engine, rawRequest(engine, "GET", "/session", "__proto__: x", "constructor: y", "hasOwnProperty: z"));
    expect(reply.status, reply.text).toBe(200);
    expect(await seen()).toEqual(before);
  });

  test("in no component, flag or merge: there they are data, and come back as they went in", async () => {
    const own = new Project(engine, "data");
    const component = (left: number, right: number) =>
      `{"__proto__":{"left":${left},"right":${right}},"constructor":{"prototype":{"a":1}}}`;
    const set = (env: string, value: string) =>
      succeed(engine, { method: "PATCH", path: own.path(env, "state"), body: `{"set":{"flows/a":${value}}}` });
    const flag = '{"__proto__":{"b":1},"metadata":{"__proto__":"x"},"state":"ENABLED","variants":{"__proto__":true,"on":false}}';
    await own.create("development");
    await set("development", component(1, 1));
    await succeed(engine, { method: "PATCH", path: own.path("development", "config"), body: `{"flags":{"beta":${flag}}}` });
    await own.create("staging", { base_from: "development" });
    await set("development", component(2, 1));
    await set("staging", component(1, 2));
    await own.promote("development", "staging", { strategy: "merge" });
    const { text } = await ask(engine, { path: own.path("staging", "state", "flows", "a") });
    expect(text).toContain(`"component":{"__proto__":{"left":2,"right":2},"constructor":{"prototype":{"a":1}}}`);
    expect((await ask(engine, { path: own.path("staging", "config") })).text).toContain(`"beta":${flag}`);
    expect((await own.verify()).valid).toBe(true);
  });
});

describe("no name leads out of where it belongs", () => {
  const SEGMENTS = [
    "..",
    ".",
    "%2e%2e",
    "%2E%2e%2F",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..%5c..%5cetc",
    "%00",
    "staging%00",
    "staging%2f..%2fdevelopment",
    "%c0%ae%c0%ae%c0%af",
    "%e0%80%af",
    "%f0%80%80%ae",
    "%252e%252e%252f",
    "file:%2f%2f%2fetc%2fpasswd",
  ];

  test("in any part of any path: the reply is an error, and nothing changes", async () => {
    const before = await mark();
    let sent = 0;
    for (const operation of operations) {
      for (const name of operation.names) {
        for (const segment of SEGMENTS) {
          const path = filled(operation.path, { ...names, [name]: segment });
          const body = operation.example === null ? undefined : example(operation);
          const { status, text } = await ask(engine, { method: operation.method, path, body });
          // What is signed is looked at by its signature alone, whatever it is about.
          const told = operation.path.endsWith("/git/hook") ? [400, 401, 404] : [400, 404];
          expect(told, `${operation.method} ${path}: ${status} ${text}`).toContain(status);
          expect(text).toMatch(operation.path.startsWith("/ofrep/") ? /^\{("key":"[^"]*",)?"errorCode":"/ : /^\{"status":"error"/);
          sent++;
        }
      }
    }
    expect(sent).toBeGreaterThan(500);
    expect(await mark()).toEqual(before);
  });

  test.each<readonly [string, string, (name: string) => Members]>([
    ["POST", "/env/create", (name) => ({ project_id: name, new_environment: "made" })],
    ["POST", "/env/create", (name) => ({ project_id: project.id, new_environment: name })],
    ["POST", "/env/create", (name) => ({ project_id: project.id, new_environment: "made", base_from: name })],
    ["POST", "/env/create", (name) => ({ project_id: project.id, new_environment: "made", base_from: "staging", version: name })],
    ["POST", "/env/create", (name) => ({ project_id: project.id, new_environment: "made", env_variables: { [name]: "x" } })],
    ["POST", "/env/promote", (name) => ({ project_id: project.id, source_env: name, target_env: "staging" })],
    ["POST", "/env/promote", (name) => ({ project_id: project.id, source_env: "development", target_env: name })],
    ["POST", "/env/promote", (name) => ({ project_id: project.id, source_env: "development", target_env: "staging", version: name })],
    ["POST", "/env/promote", (name) => ({ project_id: project.id, source_env: "development", target_env: "staging", only: [name] })],
    ["POST", "/env/promote", (name) => ({ project_id: project.id, source_env: "development", target_env: "staging", vars: [name] })],
    ["POST", "/env/rollback", (name) => ({ project_id: project.id, env: name, to: 1 })],
    ["POST", "/env/rollback", (name) => ({ project_id: project.id, env: "staging", to: name })],
    ["POST", "/env/hold", (name) => ({ project_id: project.id, env: name })],
    ["POST", "/env/deployments", (name) => ({ project_id: project.id, env: "staging", version: name, status: "deployed" })],
    ["PATCH", "state", (name) => ({ set: { [name]: {} } })],
    ["PATCH", "state", (name) => ({ remove: [name] })],
    ["PUT", "state", (name) => ({ state: { [name]: { a: 1 } } })],
    ["PATCH", "config", (name) => ({ vars: { [name]: "x" } })],
    ["PATCH", "config", (name) => ({ unset: [`vars/${name}`] })],
    ["POST", "secrets/reveal", (name) => ({ names: [name] })],
    ["POST", "/tokens", (name) => ({ name: "walker", role: "reader", projects: [name] })],
    ["POST", "/tokens", (name) => ({ name: "walker", role: "reader", projects: ["*"], envs: [name] })],
  ])("in a body: %s %s", async (method, route, body) => {
    const path = route.startsWith("/") ? route : `${project.path("staging")}/${route}`;
    const before = await mark();
    for (const name of [
      "..",
      "../development",
      "..\\development",
      "staging/../development",
      "\u0000",
      "staging\u0000",
      "\u2025",
      "％２ｅ",
      "/etc/passwd",
    ]) {
      const { status, text } = await ask(engine, { method, path, body: body(name) });
      expect([400, 404], `${JSON.stringify(name)}: ${status} ${text}`).toContain(status);
    }
    expect(await mark()).toEqual(before);
  });

  test("a component's name is text, and leads nowhere whatever it looks like to a file system", async () => {
    const own = new Project(engine, "text");
    await own.create("development");
    for (const name of ["..", "a/../b", "a/./b", "/a", "a//b", "a/", "a\u0000", "a\u007f", "a\u0080", "a\u009b2J"]) {
      expectError(
        await ask(engine, { method: "PATCH", path: own.path("development", "state"), body: { set: { [`flows/${name}`]: 1 } } }),
        400,
        "invalid_name",
      );
    }
    const names = ["..\\..\\etc", "...", "C:\\a", "~", "\u2025/\u2025", "%2e%2e%2f"];
    await own.patchState("development", { set: Object.fromEntries(names.map((name) => [`flows/${name}`, name])) });
    expect(await own.state("development")).toEqual({ flows: Object.fromEntries(names.map((name) => [name, name])) });
    for (const name of names) {
      expect(await own.read(own.path("development", "state", "flows", name))).toMatchObject({ name, component: name });
    }
  });

  test("nor does a path that starts with what is open to all", async () => {
    for (const path of [
      "/healthz/../env",
      "/healthz/%2e%2e/env",
      "/docs/../env",
      "/docs/..%2fenv",
      "/docs/%2e%2e%2f%2e%2e%2fpackage.json",
      "//healthz",
    ]) {
      expectError(await ask(engine, { path, token: null }), 401, "unauthorized");
      expectError(await ask(engine, { path }), 404, "route_not_found");
    }
    for (const path of ["/env/../healthz", "/env/%2e%2e/healthz", `/env/${project.id}/../../healthz`]) {
      expectError(await ask(engine, { path, token: null }), 401, "unauthorized");
    }
  });
});

describe("no line of a reply's head comes from a request", () => {
  const expectNothingInjected = (text: string) => {
    expect(text).not.toMatch(/^x-injected:/im);
    expect(text.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
  };

  test.each([
    ["%0d%0aX-Injected:%20yes", 400],
    ["%0aX-Injected:%20yes", 400],
    ["a%0d%0a%0d%0aHTTP/1.1%20200%20OK%0d%0aX-Injected:%20yes", 404],
    ["%e5%98%8a%e5%98%8dX-Injected:%20yes", 400],
    ["a\r\nX-Injected: yes\r\nX-A: a", 400],
  ])("by a name in a path: %j", async (segment, status) => {
    for (const path of [`/env/${segment}`, `/tokens/${segment}`, `/env/${segment}/staging/active`]) {
      const reply = await sendRaw(engine, rawRequest(engine, "GET", path));
      expect([status, 400, 404]).toContain(reply.status);
      expectNothingInjected(reply.text);
    }
  });

  test("by a name in a body that the reply's Location would hold", async () => {
    for (const name of ["a\r\nX-Injected: yes", "a\nX-Injected: yes", "a%0d%0aX-Injected: yes", "a\u560d\u560aX-Injected: yes"]) {
      for (const body of [
        { project_id: name, new_environment: "made" },
        { project_id: project.id, new_environment: name },
      ]) {
        const text = JSON.stringify(body);
        const lines = ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(text)}`];
        const reply = await sendRaw(engine, rawRequest(engine, "POST", "/env/create", ...lines) + Buffer.from(text).toString("latin1"));
        expect(reply.status, reply.text).toBe(400);
        expect(reply.headers.location).toBeUndefined();
        expectNothingInjected(reply.text);
      }
    }
  });

  test.each([
    ["a line that goes on", "X-Request-Id: a\r\n X-Injected: yes", 400],
    ["a bare carriage return", "X-Request-Id: a\rX-Injected: yes", 400],
    ["a bare line feed", "X-Request-Id: a\nX-Injected: yes", 400],
    ["an encoded line end", "X-Request-Id: a%0d%0aX-Injected: yes", 200],
    ["an escaped line end", "X-Request-Id: a\\r\\nX-Injected: yes", 200],
    ["bytes that end a line when they are cut to one", "X-Request-Id: a\u00c4\u008d\u00c4\u008aX-Injected: yes", 200],
    ["a next-line character", "X-Request-Id: a\u0085X-Injected: yes", 200],
    ["an encoded line end in a key", "Idempotency-Key: a%0d%0aX-Injected: yes", 200],
    ["a scheme and host of somebody else", "X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https", 200],
  ])("by the id that a request gives itself, or another header: %s", async (_what, lines, status) => {
    const reply = await sendRaw(engine, rawRequest(engine, "GET", "/session", lines));
    expect(reply.status, reply.text).toBe(status);
    expect(reply.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
    expectNothingInjected(reply.text);
    expect(reply.text).not.toContain("evil.example");
  });
});

describe("JSON that two readers could read differently is refused by every route that takes a body", () => {
  /** The example's text with one more member. */
  const plus = (operation: Operation, member: string) =>
    `${JSON.stringify(example(operation)).slice(0, -1).replace(/^\{$/, '{"a":0')},${member}}`;
  // As much as the shortest body may be.
  const HUGE = "9".repeat(30_000);

  test.each([
    ["a member twice", '"twice":1,"twice":2'],
    ["a member twice, once escaped", '"twice":1,"t\\u0077ice":2'],
    ["a member twice, deep inside", '"x":[{"y":{"twice":1,"a":2,"twice":1}}]'],
    ["a number beyond all numbers", '"x":1e400'],
    ["a number below all numbers", '"x":-1e400'],
    ["a number too near to zero", '"x":1e-400'],
    ["an exponent of 30,000 digits", `"x":1e${HUGE}`],
    ["an exponent of 30,000 digits below zero", `"x":1e-${HUGE}`],
    ["an integer of 30,000 digits", `"x":${HUGE}`],
    ["an integer that would change", '"x":9007199254740993'],
    ["half a surrogate pair in a value", '"x":"\\ud800"'],
    ["half a surrogate pair in a name", '"\\udfff":1'],
    ["the halves of a pair in the wrong order", '"x":"\\ude00\\ud83d"'],
  ])("%s", async (_what, member) => {
    const before = await mark();
    for (const operation of withBody()) {
      const question = { method: operation.method, path: filled(operation.path, names), body: plus(operation, member) };
      const reply = await ask(engine, question);
      // What nobody signed is not read at all.
      if (operation.path.endsWith("/git/hook")) expectRefused(operation.path, reply, 401, "unauthorized");
      else expectRefused(operation.path, reply, 400, "invalid_json");
    }
    expect(await mark()).toEqual(before);
  });

  test("numbers of a million digits that a double holds are read as that double, once", async () => {
    const own = new Project(engine, "digits");
    await own.create("development");
    const digits = 1_000_000;
    const component = {
      nearly_one: `0.${"9".repeat(digits)}`,
      nothing: `0.${"0".repeat(digits)}`,
      zero: `0e${"9".repeat(digits)}`,
      one: `1.${"0".repeat(digits)}`,
    };
    const body = `{"set":{"pages/x":{${Object.entries(component).map(([name, number]) => `"${name}":${number}`)}}}}`;
    expect(Buffer.byteLength(body)).toBeGreaterThan(LIMITS.bodyBytes);
    await succeed(engine, { method: "PATCH", path: own.path("development", "state"), body });
    expect((await own.state("development")).pages).toEqual({ x: { nearly_one: 1, nothing: 0, zero: 0, one: 1 } });
  });

  test("digits up to the end of a body are refused, and the next request is answered", async () => {
    const body = `{"set":{"pages/x":${"9".repeat(8 * LIMITS.bodyBytes)}}}`;
    expectError(await ask(engine, { method: "PATCH", path: project.path("staging", "state"), body }), 400, "invalid_json");
    await succeed(engine, { path: "/healthz", token: null });
  });
});

test("after all of it the engine works, and its audit chain is whole", async () => {
  await project.patchState("development", { set: { "flows/last": {} } });
  await project.promote("development", "staging");
  expect((await project.verify()).valid).toBe(true);
});
