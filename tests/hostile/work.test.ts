import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { parsePolicy } from "../../src/policy-rules.ts";
import type { Json } from "../../src/ports.ts";
import { select } from "../../src/selection.ts";
import type { Maps } from "../../src/snapshots.ts";
import { countVisible } from "../../src/visible.ts";
import { caller, domainOn, errorOf, memoryStore, openVault, PROJECT, Project, wrapped } from "../domain/support.ts";
import { serveApp } from "../http/support.ts";

/** What costs little to ask costs little to answer: counted in looks, reads and characters, which are the same on every machine. */

/** A text or a list that counts how often somebody looks at one of its characters or items. */
function watched<Value extends string | readonly string[]>(value: Value, seen: { count: number }): Value {
  const proxy = new Proxy(Object(value) as object, {
    get: (target, key) => {
      if (typeof key === "string" && /^\d+$/.test(key)) seen.count++;
      return Reflect.get(target, key) as unknown;
    },
  });
  // Looked at by index and length, and by what lists can do: all of it goes through the proxy.
  return proxy as unknown as Value;
}

describe("a policy", () => {
  test("is read in a few looks at each environment of its pipeline", () => {
    const seen = { count: 0 };
    const pipeline = watched(
      Array.from({ length: LIMITS.pipeline }, (_, index) => `e${index}`),
      seen,
    );
    parsePolicy({ pipeline });
    expect(seen.count).toBeLessThanOrEqual(10 * LIMITS.pipeline);
  });
});

describe("a selective promotion", () => {
  test("looks a few times at each name that it is to leave out, however many components there are", async () => {
    const seen = { count: 0 };
    const except = watched(
      Array.from({ length: 300 }, (_, index) => `pages/other-${index}`),
      seen,
    );
    const changes = Array.from({ length: 300 }, (_, index) => ({ key: `pages/p${index}`, left: null, right: null }));
    // Every name is there: what is asked for is the choice alone.
    const maps = { has: async () => [true], count: async () => 1 } as unknown as Maps;
    expect(await select(maps, ["0".repeat(64)], changes, { except })).toHaveLength(300);
    expect(seen.count).toBeLessThanOrEqual(10 * 300);
  });
});

describe("a refusal is short, however much is wrong:", () => {
  const many = (count: number, value: Json) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`Wrong-${index}`, value]));

  async function refusal(method: string, path: string, body: unknown): Promise<string> {
    const store = memoryStore();
    const domain = domainOn(store, await openVault(store));
    await new Project(domain).create("staging");
    const { status, text } = await (await serveApp(domain))({ method, path: `/env/${PROJECT}${path}`, body });
    expect([400, 413], text.slice(0, 500)).toContain(status);
    return text;
  }

  test.each<readonly [string, string, string, unknown]>([
    ["of fields", "PATCH", "/staging/config", many(10_000, 1)],
    ["of vars", "PATCH", "/staging/config", { vars: many(10_000, 1) }],
    ["of a field's name", "PATCH", "/staging/config", { ["a".repeat(900_000)]: 1 }],
    ["of a var's name", "PATCH", "/staging/config", { vars: { ["a ".repeat(400_000)]: "1" } }],
    ["of a component's name", "PATCH", "/staging/state", { set: { ["a ".repeat(400_000)]: 1 } }],
    ["of an entry's name", "PATCH", "/staging/config", { unset: ["a ".repeat(400_000)] }],
  ])("%s", async (_what, method, path, body) => {
    expect((await refusal(method, path, body)).length).toBeLessThan(20_000);
  });

  test.each<readonly [string, string, string, unknown]>([
    ["of a policy", "PUT", "/policy", { environments: many(10_000, 1) }],
    ["of a policy's rules", "PUT", "/policy", { environments: { staging: many(10_000, 1) } }],
    ["of a policy's name", "PUT", "/policy", { environments: { ["A".repeat(900_000)]: 1 } }],
    ["of a policy's pipeline", "PUT", "/policy", { pipeline: Array.from({ length: 10_000 }, () => 1) }],
    ["of a flag", "PATCH", "/staging/config", { flags: { beta: { state: "ENABLED", variants: many(30_000, 1), defaultVariant: "none" } } }],
  ])("%s", async (_what, method, path, body) => {
    expect((await refusal(method, path, body)).length).toBeLessThan(20_000);
  });
});

describe("a list that finds little", () => {
  test("looks through as many records at a time for a short page as for a long one", async () => {
    const store = memoryStore();
    const vault = await openVault(store);
    let lists = 0;
    const domain = domainOn(
      wrapped(store, {
        list: (partition, range) => {
          lists++;
          return store.list(partition, range);
        },
      }),
      vault,
    );
    const project = new Project(domain);
    await project.create("staging");
    for (let count = 0; count < 100; count++) await project.configure("staging", { vars: { A: String(count) } });
    lists = 0;
    const page = await domain.audit.list(caller("ann"), PROJECT, { limit: 1, cursor: null }, { action: "nothing" });
    expect(page).toEqual({ items: [], next_cursor: null });
    expect(lists).toBeLessThanOrEqual(3);
  });
});

test("counting what there is takes turns with everybody else", async () => {
  const store = memoryStore();
  const pages = 4;
  for (let page = 0; page < pages; page++) {
    const puts = Array.from({ length: LIMITS.pageItems }, (_, index) => ({ key: `thing/${page}-${index}`, value: {} }));
    for (let from = 0; from < puts.length; from += 250)
      await store.commit(PROJECT, { checks: [], puts: puts.slice(from, from + 250), deletes: [], objects: [], objectDeletes: [] });
  }
  let [turns, counted] = [0, false];
  const others = () => {
    turns++;
    if (!counted) setImmediate(others);
  };
  setImmediate(others);
  expect(await countVisible(store, PROJECT, "thing/", { patterns: ["*"], sees: () => true })).toBe(pages * LIMITS.pageItems);
  counted = true;
  expect(turns).toBeGreaterThanOrEqual(pages - 1);
});

test("bounds that these rest on are there", async () => {
  expect(LIMITS.tokenPatterns).toBeLessThanOrEqual(100);
  const store = memoryStore();
  const { tokens } = domainOn(store, await openVault(store));
  const make = (pattern: string) => tokens.create(caller("root"), { name: "a", role: "reader", projects: [pattern] });
  for (const pattern of ["a".repeat(65), `${"*a".repeat(40)}`, "a**"]) expect((await errorOf(make(pattern))).code).toBe("invalid_request");
});
