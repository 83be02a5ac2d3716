import { connect } from "node:net";
import { beforeEach, describe, expect, test } from "vitest";
import { type Grant, ROLES } from "../../src/access.ts";
import type { Identity } from "../../src/authentication.ts";
import { LIMITS } from "../../src/limits.ts";
import type { AuditRecord } from "../../src/model.ts";
import { auditRecords, caller, documents, headOf, PROJECT, storedRevisions, vaultEntries } from "../domain/support.ts";
import { type Answer, ROOT_TOKEN } from "../http/support.ts";
import { useEngine } from "../support/engine.ts";
import { type Access, accessRecords, grant, openAccess, ROOT, refusalsWritten, type Served, serveTo } from "./support.ts";

/** Whom the engine says that something was done by, and on whose word. */

let world: Access;
let served: Served;

beforeEach(async () => {
  world = await openAccess();
  await world.project.as(caller("seeder")).create("staging");
  served = await serveTo(world.domain);
});

async function tokenOf(name: string, who: Grant): Promise<{ readonly id: string; readonly token: string }> {
  return world.domain.tokens.create(ROOT, { name, ...who });
}

const hold = { method: "POST", path: "/env/hold", body: { project_id: PROJECT, env: "staging" } };
const create = (env: string) => ({ method: "POST", path: "/env/create", body: { project_id: PROJECT, new_environment: env } });

async function newest(): Promise<AuditRecord | undefined> {
  return (await auditRecords(world.store)).at(-1);
}

async function stateOf(): Promise<unknown> {
  return [await documents(world.store), await vaultEntries(world.store)];
}

describe("whoever acts is named by their token", () => {
  test("in records, revisions and heads", async () => {
    const { id, token } = await tokenOf("Ada Lovelace", grant("editor"));
    expect(await served.as(token, create("new"))).toMatchObject({ status: 201 });
    expect(await newest()).toMatchObject({ action: "create", actor: "Ada Lovelace", subject: "Ada Lovelace", token: id });
    expect((await storedRevisions(world.store, "new"))[0]).toMatchObject({ created_by: "Ada Lovelace" });
    expect(await headOf(world.store, "new")).toMatchObject({ created_by: "Ada Lovelace", updated_by: "Ada Lovelace" });
    expect((await served.as(token, "/session")).body).toMatchObject({ actor: "Ada Lovelace", token_id: id });
  });

  test("and the root token by root", async () => {
    expect(await served.as(ROOT_TOKEN, hold)).toMatchObject({ status: 200 });
    expect(await newest()).toMatchObject({ actor: "root", subject: "root", token: "root" });
  });

  test("by no member of the body", async () => {
    const { token } = await tokenOf("ada", grant("admin"));
    const before = await stateOf();
    for (const more of [{ actor: "grace" }, { created_by: "grace" }, { by: "grace" }, { subject: "grace" }, { token: "x" }]) {
      expect(await served.as(token, { ...hold, body: { ...hold.body, ...more } })).toMatchObject({ status: 400 });
    }
    expect(await stateOf()).toEqual(before);
  });
});

describe("a sibling engine says for whom it acts", () => {
  let engine: { readonly id: string; readonly token: string };

  beforeEach(async () => {
    engine = await tokenOf("planner", grant("engine"));
  });

  const acting = (person: string) => ({ headers: { "x-actor": person } });

  test("and both are recorded, with the token that it was", async () => {
    const before = await newest();
    expect(await served.as(engine.token, { ...create("new"), ...acting("ada@example.com") })).toMatchObject({ status: 201 });
    expect(await newest()).toMatchObject({ seq: (before?.seq ?? 0) + 1, actor: "ada@example.com", subject: "planner", token: engine.id });
    expect((await storedRevisions(world.store, "new"))[0]).toMatchObject({ created_by: "ada@example.com" });
    expect(await headOf(world.store, "new")).toMatchObject({ created_by: "ada@example.com", updated_by: "ada@example.com" });
    expect(await world.domain.audit.verify(PROJECT, null)).toMatchObject({ valid: true });
  });

  test("each time anew, and for itself where it says nothing", async () => {
    for (const [more, actor] of [
      [acting("ada"), "ada"],
      [acting("grace"), "grace"],
      [{}, "planner"],
    ] as const) {
      expect(await served.as(engine.token, { ...hold, ...more })).toMatchObject({ status: 200 });
      expect(await newest()).toMatchObject({ actor, subject: "planner", token: engine.id });
    }
  });

  test.each(["a", "ada", "Ada Lovelace", "auth0|5f7c8ec7", "a,b", '"quoted"', "<b>", "p".repeat(LIMITS.actorLength), "planner", "roots"])(
    "as %s",
    async (person) => {
      const { body } = await served.as(engine.token, { path: "/session", ...acting(person) });
      expect(body).toMatchObject({ actor: person, token_id: engine.id });
    },
  );

  test("with what its own token may, and no more, whoever that person is", async () => {
    const narrow = await tokenOf("narrow", grant("engine", [PROJECT], ["staging"]));
    await tokenOf("ada", grant("admin", ["*"], ["*"], ["secrets:reveal"]));
    const before = await stateOf();
    for (const [method, path, body] of [
      ["GET", `/env/${PROJECT}/staging/runtime`, undefined],
      ["GET", "/tokens", undefined],
      ["PUT", `/env/${PROJECT}/policy`, {}],
      ["POST", "/env/create", create("new").body],
    ] as const) {
      const answer = await served.as(narrow.token, { method, path, body, ...acting("ada") });
      expect(answer, answer.text).toMatchObject({ status: 403, body: { code: "forbidden" } });
    }
    expect(await stateOf()).toEqual(before);
  });

  test.each<readonly [string, string | readonly string[]]>([
    ["nobody", ""],
    ["a tab", "a\tb"],
    ["more characters than a name has", "p".repeat(LIMITS.actorLength + 1)],
    ["letters that are not ASCII", "é"],
    ["bytes of UTF-8", Buffer.from("Żółć").toString("latin1")],
    ["a no-break space", "a\u00a0b"],
    ["two people", ["ada", "grace"]],
    ["the same person twice", ["ada", "ada"]],
    ["a person and nobody", ["ada", ""]],
    ["the engine's own name", "engine"],
    ["the root token", "root"],
    ["the root token in another case", "ROOT"],
    ["whoever has no token", "anonymous"],
    ["whoever is let in without one", "local"],
    ["what promotes by itself", "auto-promotion"],
    ["what promotes by itself, in another case", "Auto-Promotion"],
  ])("as somebody: %s is refused, and nothing is done", async (_what, person) => {
    const before = await stateOf();
    for (const question of [hold, create("new"), { path: "/env" }]) {
      const answer = await served.as(engine.token, { ...question, headers: { "x-actor": person as string } });
      expect(answer, answer.text).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    }
    expect(await stateOf()).toEqual(before);
  });

  test("on one line: Node's own client refuses to send two in one", async () => {
    const before = await stateOf();
    await expect(served.as(engine.token, { ...hold, ...acting("ada\r\nx-injected: 1") })).rejects.toThrow(/Invalid character/);
    expect(await stateOf()).toEqual(before);
  });
});

describe("on the wire", () => {
  const root = "root-token-of-the-actor-tests";
  const engine = useEngine({ token: root });

  /** What comes back for bytes that no client would send. */
  function raw(token: string, lines: string): Promise<string> {
    const { hostname, port, host } = new URL(engine.url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
      });
      socket.once("error", reject);
      socket.once("close", () => resolve(text));
      const own = [`Host: ${host}`, `Authorization: Bearer ${token}`, "Connection: close"];
      socket.write(["GET /session HTTP/1.1", ...own, lines, "", ""].join("\r\n"), "latin1");
    });
  }

  test("a name ends with its line: what goes on in the next one, or hides a control character, is no request", async () => {
    const { body } = await engine.request("POST", "/tokens", { name: "planner", role: "engine", projects: ["*"] });
    const token = String(body.token);
    for (const lines of [
      "X-Actor: ada\r\n grace",
      "X-Actor: ada\u0000",
      "X-Actor: ada\rX-Other: 1",
      "X-Actor : ada",
      "X-Actor: a\u007fb",
    ]) {
      expect(await raw(token, lines), JSON.stringify(lines)).toMatch(/^HTTP\/1\.1 400 /);
    }
    for (const lines of ["X-Actor: ada\r\nX-Actor: grace", "x-actor: ada\r\nX-ACTOR: ada", "X-Actor:", "X-Actor: \xe9"]) {
      expect(await raw(token, lines), JSON.stringify(lines)).toMatch(/^HTTP\/1\.1 400 .*"invalid_request"/s);
    }
    for (const lines of ["X-Actor: ada", "x-AcToR:  ada \t ", "X-Actor: ada\r\nX-Other: grace"]) {
      expect(await raw(token, lines), JSON.stringify(lines)).toMatch(/^HTTP\/1\.1 200 .*"actor":"ada"/s);
    }
  });
});

describe("nobody but a sibling engine acts for anybody", () => {
  const others: readonly (readonly [string, Grant])[] = ROLES.filter((role) => role !== "engine").map((role) => [role, grant(role)]);

  test.each([...others, ["admin with secrets:reveal", grant("admin", ["*"], ["*"], ["secrets:reveal"])] as const])(
    "a token of a %s with X-Actor is refused, changes nothing, and is recorded",
    async (_which, who) => {
      const { id, token } = await tokenOf("mallory", who);
      const before = await stateOf();
      for (const person of ["quinn", "mallory", "", "root", "p".repeat(500)]) {
        for (const question of [hold, create("new"), { path: "/session" }, { path: `/env/${PROJECT}` }]) {
          const answer = await served.as(token, { ...question, headers: { "x-actor": person } });
          expect(answer, answer.text).toMatchObject({ status: 403, body: { code: "forbidden" } });
          expect(answer.text).not.toContain("quinn");
        }
      }
      expect(await stateOf()).toEqual(before);
      await refusalsWritten(world.domain);
      const records = (await accessRecords(world.store)).filter(({ action }) => action === "access_refused");
      expect(records).toMatchObject([{ actor: "mallory", subject: "mallory", token: id }]);
    },
  );

  test("nor does the root token", async () => {
    const before = await stateOf();
    expect(await served.as(ROOT_TOKEN, { ...hold, headers: { "x-actor": "ada" } })).toMatchObject({
      status: 403,
      body: { code: "forbidden" },
    });
    expect(await stateOf()).toEqual(before);
  });

  test("nor does whoever has no token: they are told nothing of it", async () => {
    const asked = (headers: Record<string, string>) => served.ask({ ...hold, headers: { "x-request-id": "same", ...headers } });
    const told = ({ status, text }: Answer) => ({ status, text });
    expect(told(await asked({ "x-actor": "ada" }))).toEqual(told(await asked({})));
    expect((await asked({ "x-actor": "ada" })).status).toBe(401);
  });

  test("nor does somebody who is an engine in one place and a person in another, who would agree in another's name", async () => {
    const grants = [grant("engine", [PROJECT]), grant("promoter", [PROJECT])];
    const mallory: Identity = { subject: "7", actor: "mallory", grants, expiresAt: world.clock.time + 3_600_000 };
    const { as } = await serveTo(world.domain, {
      rules: new Uint8Array(32),
      recognizes: (token) => token === "a.jwt.x",
      verify: async () => mallory,
    });
    expect(await as("a.jwt.x", hold)).toMatchObject({ status: 200 });
    expect(await as("a.jwt.x", { ...hold, headers: { "x-actor": "ada" } })).toMatchObject({ status: 403, body: { code: "forbidden" } });
  });

  test("in a session either: its cookie is its token's", async () => {
    const [engine, person] = [await tokenOf("planner", grant("engine")), await tokenOf("ada", grant("admin"))];
    const who = async (token: string) => {
      const { headers } = await served.ask({ method: "POST", path: "/session", body: { token } });
      const cookie = String(headers["set-cookie"]).split(";", 1)[0] ?? "";
      return served.ask({ path: "/session", headers: { cookie, "x-actor": "grace" } });
    };
    expect(await who(engine.token)).toMatchObject({ status: 200, body: { actor: "grace", token_id: engine.id } });
    expect(await who(person.token)).toMatchObject({ status: 403 });
  });
});

describe("who asked for a promotion does not agree to it", () => {
  beforeEach(async () => {
    const project = world.project.as(caller("seeder"));
    await project.create("production", { base: "staging" });
    await project.set("staging", { "flows/a": { v: 1 } });
    await project.policy({ environments: { production: { approvals: 1 } } });
  });

  const promote = { method: "POST", path: "/env/promote", body: { project_id: PROJECT, source_env: "staging", target_env: "production" } };

  async function requested(token: string, person?: string): Promise<string> {
    const answer = await served.as(token, { ...promote, ...(person !== undefined && { headers: { "x-actor": person } }) });
    expect(answer.status, answer.text).toBe(202);
    return String(answer.body.promotion_id);
  }

  const approve = (token: string, id: string, person?: string) =>
    served.as(token, {
      method: "POST",
      path: `/env/promotions/${id}/approve`,
      body: { project_id: PROJECT },
      ...(person !== undefined && { headers: { "x-actor": person } }),
    });

  test("not by a token of their own, where an engine asked for them", async () => {
    const engine = await tokenOf("builder", grant("engine"));
    const id = await requested(engine.token, "ada");
    expect(await newest()).toMatchObject({ action: "request_promotion", actor: "ada", subject: "builder", token: engine.id });
    const [ada, grace] = [await tokenOf("ada", grant("promoter")), await tokenOf("grace", grant("promoter"))];
    const before = await stateOf();
    expect(await approve(ada.token, id)).toMatchObject({ status: 403, body: { code: "self_approval" } });
    expect(await approve((await tokenOf("ada", grant("admin"))).token, id)).toMatchObject({ status: 403, body: { code: "self_approval" } });
    expect(await stateOf()).toEqual(before);
    expect(await approve(grace.token, id)).toMatchObject({ status: 200, body: { status: "ready_for_deploy" } });
    expect((await auditRecords(world.store)).find(({ action }) => action === "approve")).toMatchObject({ actor: "grace", token: grace.id });
  });

  test.each([undefined, "grace", "seeder"])("and no engine agrees or disagrees, acting for %s", async (person) => {
    const [ada, engine] = [
      await tokenOf("ada", grant("promoter")),
      await tokenOf("builder", grant("engine", ["*"], ["*"], ["secrets:reveal"])),
    ];
    await tokenOf("grace", grant("admin"));
    const id = await requested(ada.token);
    const before = await stateOf();
    expect(await approve(engine.token, id, person)).toMatchObject({ status: 403, body: { code: "forbidden" } });
    const reject = { method: "POST", path: `/env/promotions/${id}/reject`, body: { project_id: PROJECT } };
    const headers = person === undefined ? {} : { "x-actor": person };
    expect(await served.as(engine.token, { ...reject, headers })).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect(await stateOf()).toEqual(before);
  });

  test("and whoever acts for themselves cannot ask in another's name, to agree in their own", async () => {
    const { token } = await tokenOf("mallory", grant("promoter"));
    const before = await stateOf();
    expect(await served.as(token, { ...promote, headers: { "x-actor": "ada" } })).toMatchObject({
      status: 403,
      body: { code: "forbidden" },
    });
    expect(await stateOf()).toEqual(before);
    expect(await approve(token, await requested(token))).toMatchObject({ status: 403, body: { code: "self_approval" } });
  });
});
