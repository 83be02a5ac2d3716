import { describe, expect, test } from "vitest";
import type { Grant } from "../../src/access.ts";
import { SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import type { TokenRequest } from "../../src/tokens.ts";
import { codeOf, documents, memoryStore } from "../domain/support.ts";
import { type Calls, countingCalls, grant, holderOf, instance, openAccess, READER, ROOT, serveTo, told } from "./support.ts";

describe("nobody hands out more than they have", () => {
  const GRANTORS: Readonly<Record<string, readonly Grant[]>> = {
    everything: [grant("admin", ["*"], ["*"], ["secrets:reveal"])],
    noReveal: [grant("admin")],
    project: [grant("admin", ["pf-1"], ["*"], ["secrets:reveal"])],
    family: [grant("admin", ["pf-*"], ["staging"], ["secrets:reveal"])],
    twoParts: [grant("admin", ["pf-1"], ["staging"]), grant("admin", ["pf-1"], ["production"], ["secrets:reveal"])],
  };
  /** What may be had, and by whose leave. */
  const TABLE: readonly (readonly [Grant, readonly string[]])[] = [
    [grant("admin", ["*"], ["*"], ["secrets:reveal"]), ["everything"]],
    [grant("admin"), ["everything", "noReveal"]],
    [grant("client"), ["everything", "noReveal"]],
    [grant("admin", ["pf-1"]), ["everything", "noReveal", "project"]],
    [grant("reader", ["pf-1"], ["*"], ["secrets:reveal"]), ["everything", "project"]],
    [grant("reader", ["pf-2"]), ["everything", "noReveal"]],
    [grant("reader", ["pf-1", "pf-2"]), ["everything", "noReveal"]],
    [grant("reader", ["pf-*"]), ["everything", "noReveal"]],
    [grant("reader", ["pf-1*"]), ["everything", "noReveal"]],
    [grant("reader", ["pf-1*"], ["staging"]), ["everything", "noReveal", "family"]],
    [grant("reader", ["PF-1"], ["staging"]), ["everything", "noReveal"]],
    [grant("engine", ["pf-1"], ["staging"]), ["everything", "noReveal", "project", "family", "twoParts"]],
    [grant("promoter", ["pf-1"], ["staging"]), ["everything", "noReveal", "project", "family", "twoParts"]],
    [grant("promoter", ["pf-1"], ["staging", "production"]), ["everything", "noReveal", "project"]],
    [grant("reader", ["pf-1"], ["staging"], ["secrets:reveal"]), ["everything", "project", "family"]],
    [grant("reader", ["pf-1"], ["production"], ["secrets:reveal"]), ["everything", "project", "twoParts"]],
    [grant("admin", ["pf-1"], ["stag*"]), ["everything", "noReveal", "project"]],
  ];
  const rows = TABLE.flatMap(([wanted, who]) =>
    Object.keys(GRANTORS).map((grantor) => ({ grantor, allowed: who.includes(grantor), ...wanted })),
  );

  test.each(rows)("$grantor: $role in $projects, $envs with $rights: $allowed", async ({ grantor, allowed, ...wanted }) => {
    const { domain, store } = await openAccess();
    const who = holderOf("ann", ...(GRANTORS[grantor] ?? []));
    const wish = { name: "new", ...wanted };
    const { id } = await domain.tokens.create(ROOT, wish);
    const before = await documents(store, SYSTEM_PARTITION);
    if (allowed) {
      expect((await domain.tokens.principal((await domain.tokens.create(who, wish)).token)).grants).toEqual([wanted]);
      expect((await domain.tokens.rotate(who, id, {})).id).toBe(id);
    } else {
      expect(await codeOf(domain.tokens.create(who, wish))).toBe("forbidden");
      expect(await codeOf(domain.tokens.rotate(who, id, {}))).toMatch(/^(forbidden|token_not_found)$/);
      expect(await documents(store, SYSTEM_PARTITION)).toEqual(before);
    }
  });

  test.each(["client", "reader", "editor", "promoter", "engine"] as const)("a %s creates, sees and revokes none", async (role) => {
    const { domain, store } = await openAccess();
    const own = await domain.tokens.create(ROOT, { name: "own", role, projects: ["*"] });
    const { as } = await serveTo(domain);
    const before = await documents(store, SYSTEM_PARTITION, systemKeys.tokenPrefix);
    for (const question of [
      { method: "POST", path: "/tokens", body: { name: "new", role, projects: ["*"] } },
      { path: "/tokens" },
      { path: `/tokens/${own.id}` },
      { method: "POST", path: `/tokens/${own.id}/rotate`, body: {} },
      { method: "DELETE", path: `/tokens/${own.id}` },
      { path: "/tokens/audit" },
      { path: "/tokens/audit/verify" },
    ]) {
      expect(await as(own.token, question), JSON.stringify(question)).toMatchObject({ status: 403, body: { code: "forbidden" } });
    }
    expect(await documents(store, SYSTEM_PARTITION, systemKeys.tokenPrefix)).toEqual(before);
  });

  test("and nobody hands out anything where they are no administrator", async () => {
    const { domain } = await openAccess();
    const mallory = holderOf("mallory", grant("admin", ["pf-1"]), grant("promoter", ["pf-2"]));
    const wish: TokenRequest = { name: "x", role: "promoter", projects: ["pf-2"], expires_in: null };
    expect(await codeOf(domain.tokens.create(mallory, wish))).toBe("forbidden");
  });
});

describe("a token of others", () => {
  const PROJECT_ADMIN = holderOf("ann", grant("admin", ["pf-1"]));
  const foreign: readonly (readonly [string, TokenRequest])[] = [
    ["of another project", { ...READER, projects: ["pf-2"] }],
    ["of this project and another", { ...READER, projects: ["pf-1", "pf-2"] }],
    ["of all projects", { ...READER, projects: ["*"] }],
    ["of projects with a name that begins like this one's", { ...READER, projects: ["pf-1*"] }],
  ];

  test.each(foreign)("%s looks exactly like one that there is not", async (_which, wish) => {
    const { domain, store } = await openAccess();
    const { id } = await domain.tokens.create(ROOT, wish);
    const missing = "0".repeat(16);
    const before = await documents(store, SYSTEM_PARTITION);
    for (const ask of [
      (which: string) => domain.tokens.view(PROJECT_ADMIN, which),
      (which: string) => domain.tokens.rotate(PROJECT_ADMIN, which, {}),
      (which: string) => domain.tokens.revoke(PROJECT_ADMIN, which),
    ]) {
      const [foreignError, missingError] = [await told(ask(id)), await told(ask(missing))];
      expect(missingError.code).toBe("token_not_found");
      expect(JSON.parse(JSON.stringify(foreignError).replaceAll(id, missing))).toEqual(missingError);
    }
    expect((await domain.tokens.list(PROJECT_ADMIN, { limit: 10, cursor: null })).items).toEqual([]);
    expect(await documents(store, SYSTEM_PARTITION)).toEqual(before);
  });

  test("looks so over HTTP too: the same bytes, but for its id", async () => {
    const { domain } = await openAccess();
    const { id } = await domain.tokens.create(ROOT, { ...READER, projects: ["pf-2"] });
    const { token } = await domain.tokens.create(ROOT, { ...READER, role: "admin" });
    const { as } = await serveTo(domain);
    const missing = "f".repeat(16);
    for (const [method, end, body] of [
      ["GET", "", undefined],
      ["DELETE", "", undefined],
      ["POST", "/rotate", {}],
    ] as const) {
      const ask = async (which: string) => {
        const headers = { "x-request-id": "same" };
        const { status, headers: replied, text } = await as(token, { method, path: `/tokens/${which}${end}`, body, headers });
        return { status, text: text.replaceAll(which, "<id>"), headers: { ...replied, date: "" } };
      };
      expect(await ask(id)).toEqual(await ask(missing));
      expect((await ask(id)).status).toBe(404);
    }
  });

  test("is not seen by whoever reaches it and administers something else", async () => {
    const { domain } = await openAccess();
    const { id } = await domain.tokens.create(ROOT, { ...READER, projects: ["pf-2"] });
    const promoter = holderOf("ann", grant("admin", ["pf-1"]), grant("promoter", ["pf-2"], ["*"], ["secrets:reveal"]));
    expect((await domain.tokens.list(promoter, { limit: 10, cursor: null })).items).toEqual([]);
    for (const ask of [domain.tokens.view(promoter, id), domain.tokens.rotate(promoter, id, {}), domain.tokens.revoke(promoter, id)]) {
      expect(await codeOf(ask)).toBe("token_not_found");
    }
  });

  test("costs the store the same, whether there is one or not", async () => {
    const access = await openAccess();
    const { id } = await access.domain.tokens.create(ROOT, { ...READER, projects: ["pf-2"] });
    const counted = countingCalls(access.store);
    const { tokens } = instance({ ...access, store: counted.store });
    const costs: Calls[] = [];
    for (const which of [id, "0".repeat(16)]) {
      for (const ask of [tokens.view(PROJECT_ADMIN, which), tokens.rotate(PROJECT_ADMIN, which, {}), tokens.revoke(PROJECT_ADMIN, which)]) {
        await codeOf(ask);
      }
      costs.push(counted.taken());
    }
    expect(costs[0]).toEqual(costs[1]);
  });

  test("that reaches no further than the caller administers is shown and revoked, whatever it may; rotated only by who has as much", async () => {
    const { domain } = await openAccess();
    const { id } = await domain.tokens.create(ROOT, { ...READER, role: "admin", rights: ["secrets:reveal"] });
    expect((await domain.tokens.list(PROJECT_ADMIN, { limit: 10, cursor: null })).items.map((token) => token.id)).toEqual([id]);
    expect((await domain.tokens.view(PROJECT_ADMIN, id)).rights).toEqual(["secrets:reveal"]);
    expect(await codeOf(domain.tokens.rotate(PROJECT_ADMIN, id, {}))).toBe("forbidden");
    expect((await domain.tokens.revoke(PROJECT_ADMIN, id)).status).toBe("revoked");
    expect((await domain.tokens.view(ROOT, id)).revoked_by).toBe("ann");
  });

  test.each(["", "x", "0123456789ABCDEF", "0123456789abcdef0", "audit", "../root-token", "__proto__", "token/0123456789abcdef", "%00"])(
    "is not looked for by %j, which is no id",
    async (which) => {
      const counted = countingCalls(memoryStore());
      const { domain } = await openAccess(counted.store);
      counted.taken();
      expect(await codeOf(domain.tokens.view(ROOT, which))).toBe("token_not_found");
      expect(counted.taken()).toMatchObject({ gets: 0, lists: 0 });
    },
  );
});
