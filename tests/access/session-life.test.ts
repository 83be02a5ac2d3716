import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { Authentication, type Identity, type IdentityProvider } from "../../src/authentication.ts";
import { SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import { tokenDigest } from "../../src/token-documents.ts";
import { caller, documents, gate, wrapped } from "../domain/support.ts";
import { type Access, grant, instance, onSqlite, openAccess, pass, READER, ROOT, refusal } from "./support.ts";

/** How long a session lasts, by a clock that a test moves. */

const ROOT_SECRET = "the-root-token-of-this-test";
const OVER = "unauthorized: The session is over.";

function authenticationOn(
  { tokens, sessions }: Pick<Access["domain"], "tokens" | "sessions">,
  root = ROOT_SECRET,
  identities: IdentityProvider | null = null,
): Authentication {
  return new Authentication({ rootDigest: tokenDigest(root), tokens, sessions, identities });
}

async function opened(access: Access, expires_in: string | null = null) {
  const authentication = authenticationOn(access.domain);
  const { id, token } = await access.domain.tokens.create(ROOT, { ...READER, expires_in });
  const session = await authentication.openSession(await authentication.byToken(token));
  return { authentication, id, token, ...session };
}

const stored = ({ store }: Access) => documents(store, SYSTEM_PARTITION, systemKeys.sessionPrefix);

test("a session ends after 12 hours, at exactly that moment", async () => {
  const access = await openAccess();
  const { authentication, secret, expiresAt, id } = await opened(access);
  expect(expiresAt - access.clock.time).toBe(12 * 60 * 60_000);
  access.clock.time += LIMITS.sessionMs - 1;
  expect((await authentication.bySession(secret)).token).toBe(id);
  access.clock.time += 1;
  expect(await refusal(authentication.bySession(secret))).toBe(OVER);
});

test("a session ends with its token, at exactly that moment, where that ends before", async () => {
  const access = await openAccess();
  const { authentication, secret, expiresAt } = await opened(access, "1h");
  expect(expiresAt - access.clock.time).toBe(3_600_000);
  access.clock.time += 3_599_999;
  expect((await authentication.bySession(secret)).subject).toBe("ci");
  access.clock.time += 1;
  expect(await refusal(authentication.bySession(secret))).toBe(OVER);
});

test("using a session does not prolong it", async () => {
  const access = await openAccess();
  const { authentication, secret } = await opened(access);
  for (let hour = 0; hour < 12; hour++) {
    await authentication.bySession(secret);
    pass(access.clock, "1h");
  }
  expect(await refusal(authentication.bySession(secret))).toBe(OVER);
});

test("a session is stored under its digest, with whose it is, and nothing that would let anybody in", async () => {
  const access = await openAccess();
  const { secret, id, token } = await opened(access);
  const [document, ...others] = await stored(access);
  expect(others).toEqual([]);
  expect(document?.key).toBe(systemKeys.session(createHash("sha256").update(secret).digest("hex")));
  expect(document?.value).toMatchObject({ subject: "ci", token: id, tie: null });
  const all = JSON.stringify(await documents(access.store, SYSTEM_PARTITION));
  for (const text of [secret, token.slice(-43), ROOT_SECRET]) expect(all).not.toContain(text);
});

test("what is wrong with a cookie is told by nothing: unknown, closed, over and nonsense are one", async () => {
  const access = await openAccess();
  const { authentication, secret } = await opened(access);
  const closed = await authentication.openSession(await authentication.byToken(ROOT_SECRET));
  await authentication.closeSession(closed.secret);
  pass(access.clock, "12h");
  for (const text of [secret, closed.secret, "A".repeat(43), "", "x", `${secret}A`, "__proto__", "é"]) {
    expect(await refusal(authentication.bySession(text))).toBe(OVER);
  }
});

test("closing what is closed, or was never opened, does nothing", async () => {
  const access = await openAccess();
  const { authentication, secret, id } = await opened(access);
  const before = await stored(access);
  for (const text of ["A".repeat(43), "", "x", secret.slice(0, -1), `${secret}A`]) await authentication.closeSession(text);
  expect(await stored(access)).toEqual(before);
  expect((await authentication.bySession(secret)).token).toBe(id);
  await authentication.closeSession(secret);
  await authentication.closeSession(secret);
  expect(await stored(access)).toEqual([]);
});

describe.each<readonly [string, (use: (access: Access) => Promise<void>) => Promise<void>]>([
  ["in memory", async (use) => use(await openAccess())],
  ["on a SQLite file", (use) => onSqlite(async (store, _folder, clock) => use(await openAccess(store, clock)))],
])("with two instances on one store, %s,", (_where, on) => {
  test("a session that is closed by one is over on the other, at once", () =>
    on(async (access) => {
      const { authentication, secret, id } = await opened(access);
      const other = authenticationOn(instance(access));
      expect([await authentication.bySession(secret), await other.bySession(secret)].map(({ token }) => token)).toEqual([id, id]);
      await other.closeSession(secret);
      for (const one of [authentication, other]) expect(await refusal(one.bySession(secret))).toBe(OVER);
    }));

  test("a token that is revoked by one ends its sessions on the other, at once", () =>
    on(async (access) => {
      const { secret, id } = await opened(access);
      const other = authenticationOn(instance(access));
      await other.bySession(secret);
      await access.domain.tokens.revoke(caller("ann"), id);
      expect(await refusal(other.bySession(secret))).toBe("unauthorized: The token was revoked.");
    }));
});

test("a session that is closed while it is being read is not kept", async () => {
  const access = await openAccess();
  const { authentication, secret } = await opened(access);
  const [reading, closed] = [gate(), gate()];
  const slow = wrapped(access.store, {
    get: async (partition, keys) => {
      const found = await access.store.get(partition, keys);
      reading.open();
      await closed.opened;
      return found;
    },
  });
  const other = authenticationOn(instance({ ...access, store: slow }));
  const underWay = other.bySession(secret);
  await reading.opened;
  await authentication.closeSession(secret);
  closed.open();
  await underWay;
  expect(await refusal(other.bySession(secret))).toBe(OVER);
});

test("an instance that nothing tells of it refuses a session that was closed elsewhere", async () => {
  const access = await openAccess();
  const { authentication, secret } = await opened(access);
  const deaf = wrapped(access.store, { watch: () => ({ close: () => {} }) });
  const other = authenticationOn(instance({ ...access, store: deaf }));
  await other.bySession(secret);
  await authentication.closeSession(secret);
  expect(await refusal(other.bySession(secret))).toBe(OVER);
});

test("another root token ends the sessions of the one before; a token's own go on", async () => {
  const access = await openAccess();
  const { authentication, secret, id } = await opened(access);
  const root = await authentication.openSession(await authentication.byToken(ROOT_SECRET));
  expect(await authentication.bySession(root.secret)).toMatchObject({ subject: "root", token: "root" });
  const changed = authenticationOn(access.domain, "another-root-token");
  expect(await refusal(changed.bySession(root.secret))).toBe(OVER);
  expect((await changed.bySession(secret)).token).toBe(id);
});

test("whoever writes to the database cannot turn a token's session into root's", async () => {
  const access = await openAccess();
  const { authentication, secret } = await opened(access);
  const [document] = await stored(access);
  const forged = { key: document?.key ?? "", value: { ...(document?.value as object), token: "root", subject: "root" } };
  await access.store.commit(SYSTEM_PARTITION, { checks: [], puts: [forged], deletes: [], objects: [], objectDeletes: [] });
  expect(await refusal(authentication.bySession(secret))).toBe(OVER);
});

describe("sessions that are over are swept away", () => {
  test("those and no others, however many there are", async () => {
    const access = await openAccess();
    const { authentication } = await opened(access, "1h");
    const tokens = await Promise.all(["1h", "2h", null].map((expires_in) => access.domain.tokens.create(ROOT, { ...READER, expires_in })));
    for (const { token } of tokens) {
      const principal = await authentication.byToken(token);
      await Promise.all(Array.from({ length: 500 }, () => authentication.openSession(principal)));
    }
    const left = async () => (await stored(access)).length;
    expect(await left()).toBe(1_501);
    pass(access.clock, "59m");
    await access.domain.sweeper.sweep();
    expect(await left()).toBe(1_501);
    pass(access.clock, "1m");
    await access.domain.sweeper.sweep();
    expect(await left()).toBe(1_000);
    pass(access.clock, "1h");
    expect(await access.domain.sessions.tidy()).toBe(500);
    pass(access.clock, "10h");
    await access.domain.sweeper.sweep();
    expect([await left(), access.failures]).toEqual([0, []]);
    expect(await documents(access.store, SYSTEM_PARTITION, systemKeys.tokenPrefix)).toHaveLength(4);
  });
});

/** Where Ada signs in, as long as she may. */
function adasProvider({ clock }: Access, rules = "the rules") {
  const ada: Identity = { subject: "7", actor: "ada", grants: [grant("editor", ["pf-1"])], expiresAt: clock.time + 3_600_000 };
  const provider = { away: false, rules: tokenDigest(rules), recognizes: (token: string) => token.startsWith("ey") };
  return Object.assign(provider, { verify: async () => (provider.away ? null : ada) });
}

test("a session of somebody who signed in elsewhere has what that granted, until that would have ended", async () => {
  const access = await openAccess();
  const identities = adasProvider(access);
  const authentication = authenticationOn(access.domain, ROOT_SECRET, identities);
  const principal = await authentication.byToken("eyJhbGciOiJ9");
  const { secret } = await authentication.openSession(principal);
  identities.away = true;
  expect(await authentication.bySession(secret)).toEqual(principal);
  access.clock.time += 3_600_000;
  expect(await refusal(authentication.bySession(secret))).toBe(OVER);
});

test("nor longer than what it was granted by: where the provider's tokens grant something else since, or it is asked no more, the session is over", async () => {
  const access = await openAccess();
  const authentication = authenticationOn(access.domain, ROOT_SECRET, adasProvider(access));
  const principal = await authentication.byToken("eyJhbGciOiJ9");
  const { secret } = await authentication.openSession(principal);
  const same = authenticationOn(access.domain, ROOT_SECRET, adasProvider(access));
  expect(await same.bySession(secret)).toEqual(principal);
  const narrower = authenticationOn(access.domain, ROOT_SECRET, adasProvider(access, "narrower rules"));
  for (const changed of [narrower, authenticationOn(access.domain)]) expect(await refusal(changed.bySession(secret))).toBe(OVER);
});
