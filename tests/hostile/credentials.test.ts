import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { Authentication } from "../../src/authentication.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Store } from "../../src/ports.ts";
import { tokenDigest } from "../../src/token-documents.ts";
import { caller, domainOn, errorOf, memoryStore, openVault, wrapped } from "../domain/support.ts";
import { type Members, useEngine } from "../support/engine.ts";
import { expectError, type PageOf, Project } from "../support/project.ts";
import { ask, type Issued, issue, type Question, ROOT, succeed } from "./support.ts";

/** What somebody can do with a token that they do not have, no longer have, or have for something else: nothing, and they learn nothing. */

const counted = vi.hoisted(() => ({ comparisons: 0, digests: 0 }));
vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof import("node:crypto")>();
  return {
    ...crypto,
    timingSafeEqual: (left: Uint8Array, right: Uint8Array) => {
      counted.comparisons++;
      return crypto.timingSafeEqual(left, right);
    },
    createHash: (algorithm: string) => {
      counted.digests++;
      return crypto.createHash(algorithm);
    },
  };
});

describe("a token that is not valid costs the same work, whatever is wrong with it", () => {
  interface World {
    /** The work of refusing a token: in an engine that has just started, or in one that knows its tokens. */
    refuse(token: string, warm?: boolean): Promise<{ readonly work: object; readonly error: object }>;
    readonly tokens: Readonly<Record<"active" | "revoked" | "expired" | "rotated", string>>;
  }

  async function world(): Promise<World> {
    const store = memoryStore();
    const vault = await openVault(store);
    const clock = { now: () => new Date(clock.time), time: Date.now() };
    let reads = 0;
    const watched: Store = wrapped(store, {
      get: (partition, keys) => {
        reads++;
        return store.get(partition, keys);
      },
    });
    const open = () => {
      const { tokens, sessions } = domainOn(watched, vault, [], { clock });
      return new Authentication({ rootDigest: tokenDigest(ROOT), tokens, sessions, identities: null });
    };
    const { tokens } = domainOn(store, vault, [], { clock });
    const root = caller("root");
    const make = (expires_in: string | null) => tokens.create(root, { name: "ada", role: "reader", projects: ["*"], expires_in });
    const [active, revoked, expired, rotated] = [await make(null), await make(null), await make("1h"), await make(null)];
    await tokens.revoke(root, revoked.id);
    await tokens.rotate(root, rotated.id, { overlap: "30d" });
    clock.time += LIMITS.tokenOverlapMs * 24;
    return {
      tokens: { active: active.token, revoked: revoked.token, expired: expired.token, rotated: rotated.token },
      async refuse(token, warm = false) {
        const authentication = open();
        // The first read knows the document, and the second that it is the newest.
        for (let turn = 0; warm && turn < 2; turn++) await errorOf(authentication.byToken(token));
        const before = { ...counted, reads };
        const { code, message, fix, details } = await errorOf(authentication.byToken(token));
        const work = {
          comparisons: counted.comparisons - before.comparisons,
          digests: counted.digests - before.digests,
          reads: reads - before.reads,
        };
        return { work, error: { code, message, fix, details } };
      },
    };
  }

  const UNKNOWN = `envm_${"0".repeat(16)}_${"A".repeat(43)}`;
  /** The same id with another secret. */
  const wrong = (token: string) => `${token.slice(0, -43)}${"A".repeat(43)}`;
  const lastDiffers = (token: string) => token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
  const firstDiffers = (token: string) => `${token.slice(0, -43)}${token.at(-43) === "A" ? "B" : "A"}${token.slice(-42)}`;

  test.each<readonly [string, (tokens: World["tokens"]) => string]>([
    ["a wrong secret", ({ active }) => wrong(active)],
    ["a secret whose last character is wrong", ({ active }) => lastDiffers(active)],
    ["a secret whose first character is wrong", ({ active }) => firstDiffers(active)],
    ["a wrong secret of a revoked token", ({ revoked }) => wrong(revoked)],
    ["a wrong secret of an expired token", ({ expired }) => wrong(expired)],
    ["a wrong secret of a token with two that hold", ({ rotated }) => wrong(rotated)],
  ])("%s is refused as an id is that nobody has", async (_what, token) => {
    const { tokens, refuse } = await world();
    const refused = await refuse(token(tokens));
    expect(refused).toEqual(await refuse(UNKNOWN));
    expect(refused.work).toMatchObject({ reads: 1, comparisons: 3 });
  });

  test("what has not the form of a token is told so by nothing", async () => {
    const { refuse } = await world();
    const unknown = await refuse(UNKNOWN);
    for (const text of ["envm_", `${UNKNOWN}x`, UNKNOWN.toUpperCase(), "x", "x".repeat(10_000), UNKNOWN.replace("envm", "hvs")]) {
      expect(await refuse(text)).toEqual({ error: unknown.error, work: { ...unknown.work, reads: 0 } });
    }
  });

  test("an engine that knows the token spares itself the read, and nothing else", async () => {
    const { tokens, refuse } = await world();
    const [cold, warm] = [await refuse(wrong(tokens.active)), await refuse(wrong(tokens.active), true)];
    expect(warm).toEqual({ error: cold.error, work: { ...cold.work, reads: 0 } });
  });
});

const engine = useEngine({ token: ROOT });

/** Sends the head of a request, and when the engine has it gives what sends its body: the status that comes then. */
function begin({ body, headers, ...wish }: Question): Promise<() => Promise<number>> {
  const { hostname, port } = new URL(engine.url);
  const text = JSON.stringify(body);
  const sent = { "content-type": "application/json", "content-length": Buffer.byteLength(text), expect: "100-continue", ...headers };
  const request = httpRequest({ hostname, port, ...wish, headers: sent, agent: false });
  const status = once(request, "response").then(([response]: IncomingMessage[]) => response?.resume().statusCode ?? 0);
  return once(request, "continue").then(() => () => {
    request.end(text);
    return status;
  });
}

describe("a token that was taken back", () => {
  /** One connection, and what it is: the same for as long as nobody closes it. */
  async function connection(agent: Agent): Promise<Socket> {
    for (;;) {
      const [socket] = Object.values(agent.freeSockets).flat();
      if (socket !== undefined) return socket;
      await new Promise(setImmediate);
    }
  }

  test("is refused on the connection that it used, with the key that it used, and does nothing", async () => {
    const project = new Project(engine, "replay");
    await project.create("staging");
    const { id, token } = await issue(engine, { role: "editor", projects: [project.id] });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const write = () =>
      ask(engine, {
        method: "PATCH",
        path: project.path("staging", "config"),
        token,
        body: { vars: { REGION: "eu" } },
        headers: { "idempotency-key": "once" },
        agent,
      });
    const first = await write();
    expect(first.status).toBe(200);
    const socket = await connection(agent);
    expect((await write()).body).toEqual(first.body);
    await succeed(engine, { method: "DELETE", path: `/tokens/${id}` });
    const mark = await project.mark("staging");
    const replayed = await write();
    expectError(replayed, 401, "unauthorized");
    expect(replayed.text).not.toContain(project.id);
    expectError(await ask(engine, { path: project.path("staging", "config"), token, agent }), 401, "unauthorized");
    expect(await connection(agent)).toBe(socket);
    expect(await project.mark("staging")).toEqual(mark);
    agent.destroy();
  });

  test("ends nothing that was begun with it: a request whose body comes afterwards", async () => {
    const project = new Project(engine, "late");
    await project.create("staging");
    const { id, token } = await issue(engine, { role: "admin", projects: [project.id] });
    const opened = await ask(engine, { method: "POST", path: "/session", token: null, body: { token } });
    const cookie = String(opened.headers["set-cookie"]).split(";")[0] ?? "";
    const successor = { name: "mallory", role: "admin", projects: [project.id] };
    const wishes = [
      { method: "POST", path: "/tokens", body: successor, headers: { authorization: `Bearer ${token}` } },
      { method: "POST", path: "/tokens", body: successor, headers: { cookie, "sec-fetch-site": "same-origin" } },
      {
        method: "PATCH",
        path: project.path("staging", "config"),
        body: { vars: { REGION: "eu" } },
        headers: { authorization: `Bearer ${token}` },
      },
    ];
    const begun = await Promise.all(wishes.map(begin));
    await succeed(engine, { method: "DELETE", path: `/tokens/${id}` });
    const mark = await project.mark("staging");
    const tokens = (await succeed<PageOf<Issued>>(engine, { path: "/tokens" })).items.length;
    for (const end of begun) expect(await end()).toBe(401);
    expect(await project.mark("staging")).toEqual(mark);
    expect((await succeed<PageOf<Issued>>(engine, { path: "/tokens" })).items.length).toBe(tokens);
  });

  test("ends the sessions that were opened with it, and opens no more", async () => {
    const { id, token } = await issue(engine, { role: "reader", projects: ["*"] });
    const opened = await ask(engine, { method: "POST", path: "/session", token: null, body: { token } });
    const cookie = String(opened.headers["set-cookie"]).split(";")[0] ?? "";
    const withCookie = { path: "/session", token: null, headers: { cookie } };
    expect((await ask(engine, withCookie)).status).toBe(200);
    await succeed(engine, { method: "DELETE", path: `/tokens/${id}` });
    expectError(await ask(engine, withCookie), 401, "unauthorized");
    expectError(await ask(engine, { method: "POST", path: "/session", token: null, body: { token } }), 401, "unauthorized");
  });

  test("by giving it another secret: the one before is refused at once where nothing else is asked for", async () => {
    const { id, token } = await issue(engine, { role: "reader", projects: ["*"] });
    const rotated = await succeed<Issued>(engine, { method: "POST", path: `/tokens/${id}/rotate`, body: { overlap: "0s" } });
    expectError(await ask(engine, { path: "/session", token }), 401, "unauthorized");
    expect((await ask(engine, { path: "/session", token: rotated.token })).status).toBe(200);
  });
});

describe("what belongs to one project does not work in another", () => {
  /** Two projects that are alike but for their names, and who administers each. */
  interface Pair {
    readonly mine: Project;
    readonly theirs: Project;
    readonly me: string;
    readonly them: Issued;
  }
  let pair: Pair;

  async function alike(): Promise<Project> {
    const project = new Project(engine, "twin");
    await project.create("staging", { env_variables: { REGION: "eu" } });
    await project.create("production", { base_from: "staging" });
    await project.putState("staging", { flows: { a: { v: 1 } } });
    await project.putPolicy({ environments: { production: { approvals: 1 } } });
    return project;
  }

  beforeAll(async () => {
    const [mine, theirs] = [await alike(), await alike()];
    const admin = (project: Project, name: string) =>
      issue(engine, { name, role: "admin", projects: [project.id], rights: ["secrets:reveal"] });
    pair = { mine, theirs, me: (await admin(mine, "mallory")).token, them: await admin(theirs, "alice") };
  });

  test("a promotion that waits, by its id", async () => {
    const { mine, theirs, me } = pair;
    const { promotion_id: id } = (await theirs.tryPromote<Members>("staging", "production")).body;
    const decide = (decision: string, project_id: string, token: string) =>
      ask(engine, { method: "POST", path: `/env/promotions/${id}/${decision}`, token, body: { project_id } });
    for (const decision of ["approve", "reject"]) {
      expectError(await decide(decision, mine.id, me), 404, "promotion_not_found");
      expectError(await decide(decision, mine.id, ROOT), 404, "promotion_not_found");
      expectError(await decide(decision, theirs.id, me), 404, "project_not_found");
    }
    const { items } = await theirs.read<PageOf<Members>>(theirs.path("promotions"));
    expect(items).toMatchObject([{ id, status: "pending", approvals: [] }]);
  });

  test("a plan, by its id", async () => {
    const { mine, theirs } = pair;
    const { plan_id } = await theirs.promote("staging", "production", { dry_run: true });
    expectError(await mine.tryPromote("staging", "production", { plan_id }), 409, "plan_stale");
  });

  test("a project named twice: in the path and in the body, or in the body and in the query", async () => {
    const { mine, theirs, me } = pair;
    const before = await theirs.mark("staging", "production");
    for (const [method, path, body] of [
      ["PATCH", mine.path("staging", "config"), { project_id: theirs.id, vars: { REGION: "us" } }],
      ["PATCH", mine.path("staging", "state"), { project: theirs.id, set: { "flows/b": {} } }],
      ["POST", `/env/hold?project_id=${mine.id}`, { project_id: theirs.id, env: "staging" }],
      ["POST", `/env/hold?project_id=${theirs.id}`, { project_id: mine.id, env: "staging" }],
      ["POST", "/env/hold", { project_id: mine.id, project: theirs.id, env: "staging" }],
      ["POST", "/env/hold", { project_id: [mine.id, theirs.id], env: "staging" }],
      ["GET", `/env/compare?project_id=${mine.id}&project_id=${theirs.id}&left=staging&right=production`, undefined],
    ] as const) {
      const { status, text } = await ask(engine, { method, path, token: me, body });
      expect([400, 404], text).toContain(status);
    }
    expect(await theirs.mark("staging", "production")).toEqual(before);
  });

  test("the tag of what was read, on either side of a condition", async () => {
    const { mine, theirs } = pair;
    const tagOf = async (project: Project, ...parts: readonly string[]) => String((await engine.get(project.path(...parts))).headers.etag);
    for (const what of ["state", "config"]) {
      const tag = await tagOf(theirs, "staging", what);
      const body = what === "state" ? { set: { "flows/c": {} } } : { vars: { REGION: "us" } };
      expectError(await engine.request("PATCH", mine.path("staging", what), body, { "if-match": tag }), 412, "precondition_failed");
      expect((await engine.get(mine.path("staging", what), { "if-none-match": tag })).status).toBe(200);
    }
  });

  // Tags of policies count, and hold no project: so far, one project's stands for another's.
  test("the tag of a policy", async () => {
    const { mine, theirs } = pair;
    const { etag } = (await engine.get(theirs.path("policy"))).headers;
    expectError(await engine.request("PUT", mine.path("policy"), {}, { "if-match": String(etag) }), 412, "precondition_failed");
  });

  test("the cursor of a list: whoever sends it along sees their own, or is told that it is none", async () => {
    const { mine, theirs, me, them } = pair;
    await mine.patchConfig("staging", { vars: { OTHER: "1" } });
    const lists = (project: Project) => [
      "/env",
      project.path(),
      project.path("audit"),
      project.path("versions"),
      project.path("promotions"),
      project.path("staging", "revisions"),
      "/tokens",
    ];
    const cursors = new Set([theirs.id, "production", them.id, "9".repeat(12), "0".repeat(12), "z".repeat(128), "._-:"]);
    for (const path of lists(theirs)) {
      const { next_cursor } = await succeed<PageOf<unknown>>(engine, { path: `${path}?limit=1` });
      if (next_cursor !== null) cursors.add(next_cursor);
    }
    expect(cursors.size).toBeGreaterThan(9);
    for (const path of lists(mine)) {
      for (const cursor of cursors) {
        const { status, text } = await ask(engine, { path: `${path}?limit=2&cursor=${cursor}`, token: me });
        expect([200, 400], `${path} ${cursor}: ${text}`).toContain(status);
        if (status === 200) expect(text.includes(theirs.id) || text.includes(them.id), `${path} ${cursor}: ${text}`).toBe(false);
      }
    }
  });

  test("a version, a revision, a component: they are looked for where the path says", async () => {
    const { mine, theirs, me } = pair;
    await theirs.patchState("staging", { set: { "flows/theirs": {} }, version: "v9.0.0" });
    for (const [path, code] of [
      [mine.path("versions", "v9.0.0"), "version_not_found"],
      [mine.path("staging", "state", "flows", "theirs"), "component_not_found"],
      [mine.path("staging", "revisions", "99"), "revision_not_found"],
      [`/env/compare?project_id=${mine.id}&left=staging&right=staging%40v9.0.0`, "version_not_found"],
    ] as const) {
      expectError(await ask(engine, { path, token: me }), 404, code);
    }
    const rollback = { project_id: mine.id, env: "staging", to: "v9.0.0" };
    expectError(await ask(engine, { method: "POST", path: "/env/rollback", token: me, body: rollback }), 404, "version_not_found");
  });
});

describe("an idempotency key is its token's and its project's", () => {
  const key = { "idempotency-key": "shared" };

  test("somebody else who sends the same request with it has it done for them, and not the first one's answer", async () => {
    const project = new Project(engine, "keys");
    await project.create("staging");
    const tokens = [
      await issue(engine, { name: "one", role: "editor", projects: [project.id] }),
      await issue(engine, { name: "two", role: "editor", projects: [project.id] }),
    ];
    const hold = (token: string) =>
      ask(engine, { method: "POST", path: "/env/hold", token, headers: key, body: { project_id: project.id, env: "staging" } });
    for (const { token } of tokens) expect((await hold(token)).status).toBe(200);
    const { items } = await project.read<PageOf<{ readonly actor: string }>>(`${project.path("audit")}?action=hold`);
    expect(items.map(({ actor }) => actor)).toEqual(["two", "one"]);
  });

  test("somebody who may not do it is refused, and is not shown the answer of somebody who may", async () => {
    const project = new Project(engine, "keys");
    await project.create("staging");
    const request = { method: "PATCH", path: project.path("staging", "config"), headers: key, body: { vars: { REGION: "eu" } } };
    await succeed(engine, request);
    const { token: reader } = await issue(engine, { role: "reader", projects: [project.id] });
    const { token: stranger } = await issue(engine, { role: "admin", projects: ["elsewhere"] });
    expectError(await ask(engine, { ...request, token: reader }), 403, "forbidden");
    expectError(await ask(engine, { ...request, token: stranger }), 404, "project_not_found");
  });

  test("the same request for another project is another request", async () => {
    const projects = [new Project(engine, "keys"), new Project(engine, "keys")];
    for (const project of projects) {
      const { text } = await ask(engine, {
        method: "POST",
        path: "/env/create",
        headers: key,
        body: { project_id: project.id, new_environment: "staging" },
      });
      expect(text).toContain(project.id);
      expect((await project.active("staging")).revision).toBe(1);
    }
  });
});
