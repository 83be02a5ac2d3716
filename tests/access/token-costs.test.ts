import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Domain } from "../../src/domain.ts";
import { SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Json } from "../../src/ports.ts";
import { codeOf, document, memoryStore, TestClock } from "../domain/support.ts";
import {
  almost,
  type Calls,
  countingCalls,
  grant,
  holderOf,
  instance,
  openAccess,
  putAll,
  READER,
  ROOT,
  refusal,
  strangersToken,
  told,
} from "./support.ts";

describe("what is no token is refused the same way, whatever is wrong with it", () => {
  test("an id that nobody has and one that somebody has: the same error, by as many reads", async () => {
    const access = await openAccess();
    const { token, id } = await access.domain.tokens.create(ROOT, READER);
    const rotated = await access.domain.tokens.create(ROOT, READER);
    await access.domain.tokens.rotate(ROOT, rotated.id, {});
    const revoked = await access.domain.tokens.create(ROOT, READER);
    await access.domain.tokens.revoke(ROOT, revoked.id);
    const counted = countingCalls(access.store);
    const refuse = async (text: string) => {
      const { tokens } = instance({ ...access, store: counted.store });
      counted.taken();
      return { error: await told(tokens.principal(text)), calls: counted.taken() };
    };
    const wrong = (known: string) => `envm_${known}_${"A".repeat(43)}`;
    const unknown = await refuse(strangersToken());
    expect(unknown.error).toEqual({ code: "unauthorized", message: "The token is not valid.", fix: undefined, details: undefined });
    expect(unknown.calls).toMatchObject({ gets: 1, keys: 1, lists: 0, commits: 0 });
    for (const text of [wrong(id), wrong(rotated.id), wrong(revoked.id), almost(token)]) {
      expect(await refuse(text)).toEqual(unknown);
    }
    for (const garbage of [
      "",
      "x",
      "envm_",
      token.slice(0, -1),
      `${token}A`,
      ` ${token}`,
      token.toUpperCase(),
      "envm_root_".padEnd(53, "A"),
      "\u0000",
    ]) {
      expect(await refuse(garbage)).toEqual({ error: unknown.error, calls: { ...unknown.calls, gets: 0, keys: 0 } });
    }
  });

  test("a token and its neighbour, whose secret spells the same bytes: base64url leaves two bits over", async () => {
    const { domain } = await openAccess();
    const { token } = await domain.tokens.create(ROOT, READER);
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet.indexOf(token.at(-1) ?? "");
    for (const bits of [1, 2, 3]) {
      const neighbour = token.slice(0, -1) + (alphabet[last ^ bits] ?? "");
      expect(Buffer.from(neighbour.slice(-43), "base64url")).toEqual(Buffer.from(token.slice(-43), "base64url"));
      expect(await refusal(domain.tokens.principal(neighbour))).toBe("unauthorized: The token is not valid.");
    }
  });
});

const long = process.env.ENV_MANAGER_TEST_LONG !== undefined;

describe("however many tokens there are", () => {
  const MANY = long ? 100_000 : 20_000;

  /** One token that is like any other, and so many more. */
  async function crowded(count: number) {
    const clock = new TestClock();
    const counted = countingCalls(memoryStore(clock));
    const access = await openAccess(counted.store, clock);
    const { id } = await access.domain.tokens.create(ROOT, { ...READER, projects: ["pf-2"] });
    const like = await document<Record<string, Json>>(access.store, systemKeys.token(id), SYSTEM_PARTITION);
    const others = Array.from({ length: count }, (_, index) => {
      const other = createHash("sha256").update(String(index)).digest("hex").slice(0, 16);
      return { key: systemKeys.token(other), value: { ...like, id: other } };
    });
    await putAll(access.store, SYSTEM_PARTITION, others);
    return { access, counted };
  }

  async function costsAt(count: number): Promise<Readonly<Record<string, Calls>>> {
    const { access, counted } = await crowded(count);
    const { id, token } = await access.domain.tokens.create(ROOT, READER);
    const middle = "8".padEnd(16, "0");
    const costs: Record<string, Calls> = {};
    const operations: Readonly<Record<string, (tokens: Domain["tokens"]) => Promise<unknown>>> = {
      authenticate: (tokens) => tokens.principal(token),
      refuse: (tokens) => codeOf(tokens.principal(strangersToken())),
      create: (tokens) => tokens.create(ROOT, READER),
      "list the first page": (tokens) => tokens.list(ROOT, { limit: 50, cursor: null }),
      "list a page in the middle": (tokens) => tokens.list(ROOT, { limit: 10, cursor: middle }),
      view: (tokens) => tokens.view(ROOT, id),
      rotate: (tokens) => tokens.rotate(ROOT, id, {}),
      revoke: (tokens) => tokens.revoke(ROOT, id),
    };
    for (const [name, operation] of Object.entries(operations)) {
      const { tokens } = instance(access);
      counted.taken();
      await operation(tokens);
      costs[name] = counted.taken();
    }
    return costs;
  }

  test(`authenticating, creating, and listing a page cost what they cost with a hundred: with ${MANY} too`, async () => {
    const [few, many] = [await costsAt(100), await costsAt(MANY)];
    expect(many).toEqual(few);
    expect(few.authenticate).toEqual({ gets: 1, keys: 1, lists: 0, entries: 0, commits: 0, puts: 0 });
    expect(few.refuse).toEqual(few.authenticate);
    expect(few.create).toMatchObject({ commits: 1, lists: 0 });
    expect(few["list the first page"]).toMatchObject({ lists: 1, entries: 51, commits: 0 });
  });

  test("whoever administers a few finds all of them, page by page, and each page looks at a bounded number", async () => {
    const { access, counted } = await crowded(MANY);
    const own = holderOf("ann", grant("admin", ["pf-1"]));
    const made = await Promise.all(Array.from({ length: 3 }, () => access.domain.tokens.create(own, READER)));
    for (const limit of [1, 2, 100, LIMITS.pageItems]) {
      const found: string[] = [];
      let cursor: string | null = null;
      let pages = 0;
      do {
        counted.taken();
        const page = await access.domain.tokens.list(own, { limit, cursor });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        expect(counted.taken().entries).toBeLessThanOrEqual(LIMITS.listEntries + limit + 1);
        found.push(...page.items.map(({ id }) => id));
        cursor = page.next_cursor;
      } while (cursor !== null && ++pages < 1_000);
      expect(found).toEqual(made.map(({ id }) => id).sort());
    }
  });

  test("one that is known is not read again until something changes", async () => {
    const { access, counted } = await crowded(100);
    const { token } = await access.domain.tokens.create(ROOT, READER);
    const { tokens } = instance(access);
    await tokens.principal(token);
    counted.taken();
    for (let index = 0; index < 100; index++) await tokens.principal(token);
    expect(counted.taken()).toMatchObject({ gets: 0, lists: 0, commits: 0 });
    await access.domain.tokens.create(ROOT, READER);
    counted.taken();
    await tokens.principal(token);
    expect(counted.taken()).toMatchObject({ gets: 1, keys: 1 });
  });
});
