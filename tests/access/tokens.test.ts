import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import type { TokenRequest } from "../../src/tokens.ts";
import { codeOf, document, documents, gate, wrapped } from "../domain/support.ts";
import { type Access, grant, holderOf, instance, onSqlite, openAccess, pass, READER, ROOT, refusal, secretOf } from "./support.ts";

const REVOKED = "unauthorized: The token was revoked.";
const NO_TOKEN = "unauthorized: The token is not valid.";

type Use = (use: (access: Access) => Promise<void>) => Promise<void>;
const inMemory: Use = async (use) => use(await openAccess());
const inSqlite: Use = (use) => onSqlite(async (store, _folder, clock) => use(await openAccess(store, clock)));

describe.each<readonly [string, Use]>([
  ["in memory", inMemory],
  ["on a SQLite file", inSqlite],
])("a token %s", (_where, use) => {
  test("has its form, and a secret of 256 bits, of which each is random", () =>
    use(async ({ domain: { tokens } }) => {
      const count = 64;
      const made = await Promise.all(Array.from({ length: count }, () => tokens.create(ROOT, READER)));
      for (const { id, token } of made) expect(token).toMatch(new RegExp(`^envm_${id}_[A-Za-z0-9_-]{43}$`));
      for (const { id } of made) expect(id).toMatch(/^[0-9a-f]{16}$/);
      expect(new Set(made.map(({ id }) => id)).size).toBe(count);
      const secrets = made.map((token) => Buffer.from(secretOf(token), "base64url"));
      for (let bit = 0; bit < 256; bit++) {
        const set = secrets.filter((secret) => ((secret[bit >> 3] ?? 0) >> (bit & 7)) & 1).length;
        expect(set > 0 && set < count, `bit ${bit} is always the same`).toBe(true);
      }
      expect(new Set(secrets.map(({ length }) => length))).toEqual(new Set([32]));
    }));

  test("says whose it is and what they may, where", () =>
    use(async ({ domain: { tokens }, clock }) => {
      const wish: TokenRequest = { name: "ada", role: "promoter", projects: ["pf-*"], envs: ["staging"], rights: ["secrets:reveal"] };
      const { id, token } = await tokens.create(ROOT, { ...wish, expires_in: "1h" });
      expect(await tokens.principal(token)).toEqual({
        subject: "ada",
        token: id,
        grants: [grant("promoter", ["pf-*"], ["staging"], ["secrets:reveal"])],
        expiresAt: clock.time + 3_600_000,
      });
      expect(await tokens.holder(id)).toEqual(await tokens.principal(token));
    }));

  test("is shown once: what makes or rotates it says it, and nothing else ever does", () =>
    use(async (access) => {
      const { tokens, audit } = access.domain;
      const first = await tokens.create(ROOT, READER);
      const second = await tokens.rotate(ROOT, first.id, {});
      await tokens.principal(first.token);
      await tokens.principal(second.token);
      await tokens.noteUse();
      const said = [
        await tokens.list(ROOT, { limit: 10, cursor: null }),
        await tokens.view(ROOT, first.id),
        await audit.listAccess(ROOT, { limit: 10, cursor: null }, {}),
        await tokens.revoke(ROOT, first.id),
        await refusal(tokens.principal(second.token)),
        await documents(access.store, SYSTEM_PARTITION),
      ];
      for (const text of said.map((value) => JSON.stringify(value))) {
        for (const shown of [first, second]) expect(text.includes(secretOf(shown)), text).toBe(false);
      }
    }));

  test("is stored as its SHA-256 alone", () =>
    use(async ({ store, domain: { tokens } }) => {
      const { token, id, ...shown } = await tokens.create(ROOT, READER);
      const { status: _, last_used_at: __, previous_until: ___, ...kept } = shown;
      const sha256 = createHash("sha256").update(token).digest("hex");
      expect(await document(store, systemKeys.token(id), SYSTEM_PARTITION)).toEqual({ ...kept, id, sha256, previous: null });
    }));

  test("that is rotated is taken in both forms until the overlap is over, and then in the new one alone", () =>
    use(async ({ domain: { tokens }, clock }) => {
      const { id, token: old } = await tokens.create(ROOT, READER);
      const { token, previous_until, rotated_at } = await tokens.rotate(ROOT, id, { overlap: "2h" });
      expect([rotated_at, previous_until].map((at) => Date.parse(at ?? ""))).toEqual([clock.time, clock.time + 7_200_000]);
      expect(token.slice(0, 22)).toBe(`envm_${id}_`);
      pass(clock, "1h59m59s");
      clock.time += 999;
      expect([await tokens.principal(old), await tokens.principal(token)].map((found) => found.token)).toEqual([id, id]);
      expect(await tokens.view(ROOT, id)).toMatchObject({ previous_until });
      clock.time += 1;
      expect(await refusal(tokens.principal(old))).toBe(NO_TOKEN);
      expect((await tokens.principal(token)).token).toBe(id);
      expect(await tokens.view(ROOT, id)).toMatchObject({ previous_until: null, status: "active" });
    }));

  test("that is rotated twice is taken in the newest two forms, and the first is over at once", () =>
    use(async ({ domain: { tokens } }) => {
      const { id, token: first } = await tokens.create(ROOT, READER);
      const { token: second } = await tokens.rotate(ROOT, id, { overlap: "30d" });
      const { token: third } = await tokens.rotate(ROOT, id, { overlap: "30d" });
      expect(await refusal(tokens.principal(first))).toBe(NO_TOKEN);
      for (const token of [second, third]) expect((await tokens.principal(token)).token).toBe(id);
    }));

  test("that is rotated without an overlap is refused at once in its old form, on every instance", () =>
    use(async (access) => {
      const [here, there] = [access.domain.tokens, instance(access).tokens];
      const { id, token: old } = await here.create(ROOT, READER);
      await Promise.all([here.principal(old), there.principal(old)]);
      const { token, previous_until } = await here.rotate(ROOT, id, { overlap: "0s" });
      expect(previous_until).toBeNull();
      for (const tokens of [here, there]) {
        expect(await refusal(tokens.principal(old))).toBe(NO_TOKEN);
        expect((await tokens.principal(token)).token).toBe(id);
      }
    }));

  test("that is revoked is refused from that moment on, in every form and on every instance", () =>
    use(async (access) => {
      const [here, there] = [access.domain.tokens, instance(access).tokens];
      const { id, token: old } = await here.create(ROOT, READER);
      const { token } = await here.rotate(ROOT, id, { overlap: "30d" });
      for (const tokens of [here, there]) for (const shown of [old, token]) await tokens.principal(shown);
      expect(await here.revoke(ROOT, id)).toMatchObject({ status: "revoked", id });
      for (const tokens of [here, there]) {
        expect(await refusal(tokens.principal(token))).toBe(REVOKED);
        expect(await refusal(tokens.principal(old))).toBe(NO_TOKEN);
        expect(await refusal(tokens.holder(id))).toBe(REVOKED);
        expect(await tokens.view(ROOT, id)).toMatchObject({ status: "revoked", revoked_by: "root", previous_until: null });
      }
    }));

  test("is refused from exactly the moment on at which it ends", () =>
    use(async ({ domain: { tokens }, clock }) => {
      const { id, token, expires_at } = await tokens.create(ROOT, { ...READER, expires_in: "90s" });
      const before = { list: (await tokens.list(ROOT, { limit: 9, cursor: null })).items[0]?.status };
      clock.time += 89_999;
      expect((await tokens.principal(token)).token).toBe(id);
      expect([before.list, (await tokens.view(ROOT, id)).status]).toEqual(["active", "active"]);
      clock.time += 1;
      expect(await refusal(tokens.principal(token))).toBe(`unauthorized: The token expired at ${expires_at}.`);
      expect(await refusal(tokens.holder(id))).toBe(`unauthorized: The token expired at ${expires_at}.`);
      expect((await tokens.view(ROOT, id)).status).toBe("expired");
    }));

  test("that is over cannot be brought back by rotating it, and can be revoked", () =>
    use(async ({ domain: { tokens }, clock }) => {
      const expired = await tokens.create(ROOT, { ...READER, expires_in: "1h" });
      const revoked = await tokens.create(ROOT, READER);
      await tokens.revoke(ROOT, revoked.id);
      pass(clock, "1h");
      for (const { id } of [expired, revoked]) expect(await codeOf(tokens.rotate(ROOT, id, {}))).toBe("invalid_transition");
      await tokens.revoke(ROOT, expired.id);
      expect((await tokens.view(ROOT, expired.id)).status).toBe("revoked");
    }));

  test("was last used when it last was, as far as that is written down, and at once where it was used", () =>
    use(async (access) => {
      const { domain, clock } = access;
      const [here, there] = [domain.tokens, instance(access).tokens];
      const { id, token } = await here.create(ROOT, READER);
      const lastUsed = async () => Promise.all([here, there].map(async (tokens) => (await tokens.view(ROOT, id)).last_used_at));
      expect(await lastUsed()).toEqual([null, null]);
      const first = new Date(clock.time).toISOString();
      await here.principal(token);
      expect(await lastUsed()).toEqual([first, null]);
      await here.noteUse();
      expect(await lastUsed()).toEqual([first, first]);
      pass(clock, "5m");
      const second = new Date(clock.time).toISOString();
      await there.holder(id);
      expect(await lastUsed()).toEqual([first, second]);
      await there.noteUse();
      expect(await lastUsed()).toEqual([second, second]);
      pass(clock, "5m");
      await codeOf(here.principal(`${token.slice(0, -43)}${"A".repeat(43)}`));
      await here.revoke(ROOT, id);
      await codeOf(here.principal(token));
      await here.noteUse();
      expect(await lastUsed()).toEqual([second, second]);
      expect((await here.list(ROOT, { limit: 1, cursor: null })).items[0]).toMatchObject({ id, last_used_at: second });
    }));
});

test("no form of a token is anywhere in the SQLite file, its log or its neighbours: its digest is", () =>
  onSqlite(async (store, folder) => {
    const { domain } = await openAccess(store);
    const made = [await domain.tokens.create(ROOT, READER), await domain.tokens.create(ROOT, { ...READER, name: "ada" })];
    made.push(await domain.tokens.rotate(ROOT, made[0]?.id ?? "", {}));
    for (const { token } of made) await domain.tokens.principal(token);
    await domain.tokens.noteUse();
    await domain.tokens.revoke(ROOT, made[1]?.id ?? "");
    const files = await readdir(folder);
    expect(files).toEqual(expect.arrayContaining(["env.db", "env.db-wal"]));
    const bytes = Buffer.concat(await Promise.all(files.map((name) => readFile(join(folder, name)))));
    for (const shown of made) {
      const secret = Buffer.from(secretOf(shown), "base64url");
      for (const form of [secretOf(shown), secret.toString("hex"), secret.toString("base64"), secret]) {
        expect(bytes.includes(form)).toBe(false);
      }
      expect(bytes.includes(createHash("sha256").update(shown.token).digest("hex"))).toBe(true);
    }
  }));

test("rotating a token moves neither its end nor what it may", async () => {
  const { domain, clock } = await openAccess();
  const made = await domain.tokens.create(ROOT, { ...READER, expires_in: "1h" });
  pass(clock, "30m");
  const rotated = await domain.tokens.rotate(ROOT, made.id, { overlap: "30d" });
  const { token: _, rotated_at: __, previous_until: ___, ...before } = made;
  expect(rotated).toMatchObject(before);
  pass(clock, "30m");
  for (const { token } of [made, rotated]) expect(await refusal(domain.tokens.principal(token))).toContain("expired");
});

test("rotating a token does not forget when it was last used", async () => {
  const { domain } = await openAccess();
  const { id, token } = await domain.tokens.create(ROOT, READER);
  await domain.tokens.principal(token);
  await domain.tokens.noteUse();
  const { last_used_at } = await domain.tokens.view(ROOT, id);
  expect(last_used_at).not.toBeNull();
  expect(await domain.tokens.rotate(ROOT, id, {})).toMatchObject({ last_used_at });
});

test("revoking again changes nothing, and answers the same", async () => {
  const { domain, store, clock } = await openAccess();
  const { id } = await domain.tokens.create(ROOT, READER);
  const first = await domain.tokens.revoke(ROOT, id);
  const before = await documents(store, SYSTEM_PARTITION);
  pass(clock, "1h");
  expect(await domain.tokens.revoke(holderOf("ada", grant("admin")), id)).toEqual(first);
  expect(await documents(store, SYSTEM_PARTITION)).toEqual(before);
});

describe("an instance that keeps tokens in memory", () => {
  test("does not keep what was revoked while it was being read", async () => {
    const access = await openAccess();
    const { id, token } = await access.domain.tokens.create(ROOT, READER);
    const [reading, revoked] = [gate(), gate()];
    const slow = wrapped(access.store, {
      get: async (partition, keys) => {
        const found = await access.store.get(partition, keys);
        reading.open();
        await revoked.opened;
        return found;
      },
    });
    const { tokens } = instance({ ...access, store: slow });
    const underWay = tokens.principal(token);
    await reading.opened;
    await access.domain.tokens.revoke(ROOT, id);
    revoked.open();
    // It was let in on what held when it asked.
    expect((await underWay).token).toBe(id);
    expect(await refusal(tokens.principal(token))).toBe(REVOKED);
  });

  test("refuses what was revoked elsewhere, though nothing tells it", async () => {
    const access = await openAccess();
    const { id, token } = await access.domain.tokens.create(ROOT, READER);
    const deaf = wrapped(access.store, { watch: () => ({ close: () => {} }) });
    const { tokens } = instance({ ...access, store: deaf });
    await tokens.principal(token);
    await access.domain.tokens.revoke(ROOT, id);
    expect(await refusal(tokens.principal(token))).toBe(REVOKED);
  });

  test("forgets no use that comes while others are being written down", async () => {
    const access = await openAccess();
    const { id, token } = await access.domain.tokens.create(ROOT, READER);
    const [writing, used] = [gate(), gate()];
    const slow = wrapped(access.store, {
      commit: async (partition, change) => {
        writing.open();
        await used.opened;
        return access.store.commit(partition, change);
      },
    });
    const { tokens } = instance({ ...access, store: slow });
    await tokens.principal(token);
    const noted = tokens.noteUse();
    await writing.opened;
    pass(access.clock, "1m");
    await tokens.principal(token);
    used.open();
    await noted;
    await tokens.noteUse();
    expect((await access.domain.tokens.view(ROOT, id)).last_used_at).toBe(new Date(access.clock.time).toISOString());
  });
});
