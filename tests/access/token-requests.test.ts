import { describe, expect, test } from "vitest";
import { SYSTEM_PARTITION } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import { codeOf, documents, errorOf } from "../domain/support.ts";
import { openAccess, pass, READER, ROOT, refusal, serveTo } from "./support.ts";

describe("a token that is made", () => {
  test("ends after 90 days where nothing is said, and not by itself where that is asked for", async () => {
    const { domain, clock } = await openAccess();
    const usual = await domain.tokens.create(ROOT, READER);
    const endless = await domain.tokens.create(ROOT, { ...READER, expires_in: null });
    expect(Date.parse(usual.expires_at ?? "") - clock.time).toBe(90 * 24 * 60 * 60_000);
    expect(endless.expires_at).toBeNull();
    pass(clock, "3650d");
    expect(await domain.tokens.principal(endless.token)).toMatchObject({ expiresAt: null });
  });

  test("reaches all environments where none are named, and may reveal nothing where that is not asked for", async () => {
    const { domain } = await openAccess();
    expect(await domain.tokens.create(ROOT, READER)).toMatchObject({ envs: ["*"], rights: [], created_by: "root", status: "active" });
  });

  test.each(["0s", "-1h", "", "1", "1y", " 1h", "1h ", "36501d", "999999w", "1e3s", "Infinity"])(
    "cannot end after %j",
    async (expires_in) => {
      const { domain, store } = await openAccess();
      expect(await codeOf(domain.tokens.create(ROOT, { ...READER, expires_in }))).toBe("invalid_request");
      expect(await documents(store, SYSTEM_PARTITION)).toEqual([]);
    },
  );

  test.each([
    "ci",
    "ci-deploy",
    "ada@example.com",
    "Ada Lovelace",
    "9",
    "Żółć",
    "a.b_c@d:e/f+g-h",
    "roots",
    "engine 2",
    "n".repeat(LIMITS.actorLength),
  ])("may be called %s", async (name) => {
    const { domain } = await openAccess();
    expect((await domain.tokens.principal((await domain.tokens.create(ROOT, { ...READER, name })).token)).subject).toBe(name);
  });

  test.each([
    "",
    " ",
    " ci",
    "ci ",
    "ci\n",
    "a\tb",
    "a\u0000b",
    "-ci",
    "_ci",
    "@ci",
    "a;b",
    "<b>",
    'a"b',
    "a\\b",
    "a,b",
    "a=b",
    "a\u200bb",
    "a\u202eb",
    "a\u00a0b",
    "e\u0301",
    "😀",
    "n".repeat(LIMITS.actorLength + 1),
  ])("cannot be called %j", async (name) => {
    const { domain, store } = await openAccess();
    expect(await errorOf(domain.tokens.create(ROOT, { ...READER, name }))).toMatchObject({
      code: "invalid_name",
      details: { kind: "token" },
    });
    expect(await documents(store, SYSTEM_PARTITION)).toEqual([]);
  });

  test.each(["root", "local", "engine", "anonymous", "auto-promotion", "Root", "ENGINE", "Auto-Promotion"])(
    "cannot be called %s, which is the engine's own",
    async (name) => {
      const { domain } = await openAccess();
      expect(await refusal(domain.tokens.create(ROOT, { ...READER, name }))).toContain("is what the engine calls itself");
    },
  );

  test.each(["", "**", "a**b", "pf.1", "pf 1", "pf/1", "pf-?", "pf-1\n", "é", "../x", "a".repeat(65)])(
    "cannot have the pattern %j",
    async (text) => {
      const { domain, store } = await openAccess();
      for (const where of ["projects", "envs"]) {
        const error = await errorOf(domain.tokens.create(ROOT, { ...READER, [where]: ["ok", text] }));
        expect(error).toMatchObject({ code: "invalid_request", message: expect.stringContaining(`\`${where}\``) });
      }
      expect(await documents(store, SYSTEM_PARTITION)).toEqual([]);
    },
  );

  test("reaches something, and may reveal only what it may read", async () => {
    const { domain } = await openAccess();
    for (const wish of [{ projects: [] }, { envs: [] }, { role: "client", rights: ["secrets:reveal"] }] as const) {
      expect(await codeOf(domain.tokens.create(ROOT, { ...READER, ...wish }))).toBe("invalid_request");
    }
  });

  test("matches letter by letter: in another case it gives nothing", async () => {
    const { domain, project } = await openAccess();
    await project.create("staging");
    const { as } = await serveTo(domain);
    for (const projects of [["PF-*"], ["Pf-777"], ["pf-777x"], ["f-777"], ["pf-77"]]) {
      const { token } = await domain.tokens.create(ROOT, { ...READER, projects });
      expect(await as(token, "/env/pf-777")).toMatchObject({ status: 404, body: { code: "project_not_found" } });
      expect(await as(token, "/env")).toMatchObject({ status: 200, body: { items: [] } });
    }
    const { token } = await domain.tokens.create(ROOT, { ...READER, projects: ["pf-*"], envs: ["Staging"] });
    expect(await as(token, "/env/pf-777/staging")).toMatchObject({ status: 404, body: { code: "environment_not_found" } });
    const { token: right } = await domain.tokens.create(ROOT, { ...READER, projects: ["pf-*"], envs: ["st*g"] });
    expect(await as(right, "/env/pf-777/staging")).toMatchObject({ status: 200 });
  });

  test.each([
    { role: "Admin" },
    { role: "READER" },
    { role: " reader" },
    { role: "root" },
    { role: "toString" },
    { role: "" },
    { role: null },
    { role: ["admin"] },
    { rights: ["reveal"] },
    { rights: ["SECRETS:REVEAL"] },
    { rights: ["secrets:reveal", "secrets:reveal"] },
    { rights: ["administer"] },
    { projects: "pf-1" },
    { projects: [] },
    { envs: [] },
    { envs: ["a".repeat(65)] },
    { projects: [1] },
    { id: "0123456789abcdef" },
    { sha256: "0".repeat(64) },
    { expires_at: "2030-01-01T00:00:00Z" },
    { expires_in: 3_600 },
    { name: "" },
    { name: 7 },
  ])("is not made of %j", async (odd) => {
    const { domain, store } = await openAccess();
    const { token } = await domain.tokens.create(ROOT, { ...READER, role: "admin", projects: ["*"] });
    const { as } = await serveTo(domain);
    const before = await documents(store, SYSTEM_PARTITION);
    expect(await as(token, { method: "POST", path: "/tokens", body: { ...READER, ...odd } })).toMatchObject({ status: 400 });
    expect(await documents(store, SYSTEM_PARTITION)).toEqual(before);
  });
});

test.each(["30d1s", "31d", "5w", "0", "0h", "-1s", "", "soon", "1.5h"])(
  "a token cannot be rotated with an overlap of %j",
  async (overlap) => {
    const { domain, store } = await openAccess();
    const { id, token } = await domain.tokens.create(ROOT, READER);
    const before = await documents(store, SYSTEM_PARTITION);
    expect(await codeOf(domain.tokens.rotate(ROOT, id, { overlap }))).toBe("invalid_request");
    expect(await documents(store, SYSTEM_PARTITION)).toEqual(before);
    expect((await domain.tokens.principal(token)).token).toBe(id);
  },
);
