import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { SYSTEM_PARTITION } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Caller } from "../../src/model.ts";
import type { Json } from "../../src/ports.ts";
import { codeOf } from "../domain/support.ts";
import {
  type Access,
  accessRecords,
  almost,
  grant,
  holderOf,
  openAccess,
  pass,
  putAll,
  READER,
  ROOT,
  refusalsWritten,
  secretOf,
  strangersToken,
} from "./support.ts";

describe("what happens to access is recorded", () => {
  const actions = async ({ store }: Access) => (await accessRecords(store)).map(({ action }) => action);

  test("each turn of a token, by whom, with what it may, and never with what it is", async () => {
    const access = await openAccess();
    const { tokens, audit } = access.domain;
    const ada: Caller = { ...holderOf("ada", grant("admin", ["*"], ["*"])), requestId: "r-7" };
    const made = await tokens.create(ada, READER);
    const rotated = await tokens.rotate(ada, made.id, { overlap: "1h" });
    await tokens.revoke(ada, made.id);
    const about = { token: made.id, name: "ci", role: "reader", projects: ["pf-1"], envs: ["*"], rights: [] };
    const by = { project: SYSTEM_PARTITION, actor: "ada", subject: "ada", token: ada.token, request_id: "r-7", environment: null };
    const records = await accessRecords(access.store);
    expect(records).toMatchObject([
      { ...by, seq: 1, action: "token_created", details: { ...about, expires_at: made.expires_at } },
      { ...by, seq: 2, action: "token_rotated", details: { ...about, previous_until: rotated.previous_until } },
      { ...by, seq: 3, action: "token_revoked", details: about },
    ]);
    const texts = JSON.stringify(records);
    for (const shown of [made, rotated]) {
      expect(texts).not.toContain(secretOf(shown));
      expect(texts).not.toContain(createHash("sha256").update(shown.token).digest("hex"));
    }
    expect(await audit.verifyAccess(null)).toMatchObject({ valid: true, records: 3 });
    const { items } = await audit.listAccess(ROOT, { limit: 2, cursor: null }, { action: "token_rotated" });
    expect(items).toEqual([records[1]]);
  });

  test("in a chain that tells of a record that was altered, and of an end that was cut off", async () => {
    const { store, domain } = await openAccess();
    const { id } = await domain.tokens.create(ROOT, READER);
    await domain.tokens.revoke(ROOT, id);
    const { head } = await domain.audit.verifyAccess(null);
    expect(await domain.audit.verifyAccess(head)).toMatchObject({ valid: true });
    const [first] = await accessRecords(store);
    await putAll(store, SYSTEM_PARTITION, [{ key: "audit/000000000001", value: { ...first, actor: "nobody" } as unknown as Json }]);
    expect(await domain.audit.verifyAccess(null)).toMatchObject({ valid: false, broken_at: 1 });
    const other = await openAccess();
    expect(await other.domain.audit.verifyAccess(null)).toMatchObject({ valid: true, records: 0 });
    expect(await other.domain.audit.verifyAccess(head)).toMatchObject({ valid: false });
  });

  test("nothing, where nothing happened: a refused request leaves no record of its own", async () => {
    const access = await openAccess();
    const nobody = holderOf("ann", grant("admin", ["pf-9"]));
    const { id } = await access.domain.tokens.create(ROOT, READER);
    await codeOf(access.domain.tokens.create(nobody, READER));
    await codeOf(access.domain.tokens.rotate(nobody, id, {}));
    await codeOf(access.domain.tokens.revoke(nobody, id));
    await codeOf(access.domain.tokens.create(ROOT, { ...READER, name: "root" }));
    expect(await actions(access)).toEqual(["token_created"]);
  });

  test("the use of a token that is over: once an hour for each, by name, id and why", async () => {
    const access = await openAccess();
    const { domain, clock, store } = access;
    const expired = await domain.tokens.create(ROOT, { ...READER, name: "expired", expires_in: "1h" });
    const revoked = await domain.tokens.create(ROOT, { ...READER, name: "revoked" });
    await domain.tokens.revoke(ROOT, revoked.id);
    pass(clock, "1h");
    const refused = async () => {
      await refusalsWritten(domain);
      return (await accessRecords(store)).filter(({ action }) => action === "token_refused");
    };
    const useAll = async () => {
      for (const { id, token } of [expired, revoked]) {
        expect(await codeOf(domain.tokens.principal(token))).toBe("unauthorized");
        expect(await codeOf(domain.tokens.holder(id))).toBe("unauthorized");
      }
    };
    await useAll();
    await useAll();
    expect(await refused()).toMatchObject([
      { actor: "expired", subject: "expired", token: expired.id, details: { token: expired.id, why: "expired" } },
      { actor: "revoked", subject: "revoked", token: revoked.id, details: { token: revoked.id, why: "revoked" } },
    ]);
    clock.time += LIMITS.refusalNotedMs - 1;
    await useAll();
    expect(await refused()).toHaveLength(2);
    clock.time += 1;
    await useAll();
    expect(await refused()).toHaveLength(4);
    expect(await domain.audit.verifyAccess(null)).toMatchObject({ valid: true });
    expect(access.failures).toEqual([]);
  });

  test("of what is no token nothing at all, however often it is tried", async () => {
    const access = await openAccess();
    const { id, token } = await access.domain.tokens.create(ROOT, READER);
    await access.domain.tokens.revoke(ROOT, id);
    const before = await accessRecords(access.store);
    for (const text of [strangersToken(), almost(token), "x", ""]) {
      expect(await codeOf(access.domain.tokens.principal(text))).toBe("unauthorized");
    }
    await refusalsWritten(access.domain);
    expect(await accessRecords(access.store)).toHaveLength(before.length + 1);
  });
});
