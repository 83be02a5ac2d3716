import { beforeAll, describe, expect, test } from "vitest";
import type { Domain } from "../../src/domain.ts";
import type { PiecewiseRead } from "../../src/etags.ts";
import { LIMITS } from "../../src/limits.ts";
import type { JsonObject } from "../../src/ports.ts";
import { type Counts, caller, counting, domainOn, memoryStore, openVault, PROJECT, Project } from "./support.ts";

/** What operations cost, counted in objects and keys instead of time. Every operation starts with nothing in its cache. */

const SIZES = [1_000, 10_000, 100_000];
const CHANGED = 10;
const OBJECT_BYTES = 2 * 1024;
/** Nodes that lie above the components of one page, as a rule. */
const NODES_A_PAGE = 32;

interface Costs {
  readonly create: Counts;
  readonly plan: Counts;
  readonly promote: Counts;
  readonly rollback: Counts;
}

/** Levels that a tree of this many components has at most, as a rule: mean fan-out 32, two more for bad luck. */
function levels(components: number): number {
  return Math.ceil(Math.log(components) / Math.log(32)) + 2;
}

const component = (index: number) => `collection-${index % 10}/component-${index}`;

function platform(components: number): Record<string, Record<string, JsonObject>> {
  const state: Record<string, Record<string, JsonObject>> = {};
  for (let index = 0; index < components; index++) {
    const [collection, name] = component(index).split("/") as [string, string];
    state[collection] ??= {};
    state[collection][name] = { title: `Component number ${index}`, text: "x".repeat(40) };
  }
  return state;
}

async function costsAt(components: number): Promise<Costs> {
  const inner = memoryStore();
  const vault = await openVault(inner);
  const counted = counting(inner);
  const setUp = new Project(domainOn(inner, vault));
  await setUp.create("staging", { env_variables: { REGION: "eu", MODE: "fast" } });
  await setUp.domain.state.replace(setUp.caller, { project: PROJECT, env: "staging", state: platform(components), ifMatch: null });

  const cost = async (run: (project: Project) => Promise<unknown>): Promise<Counts> => {
    const cold = new Project(domainOn(counted.store, vault));
    counted.reset();
    await run(cold);
    return { ...counted.counts };
  };
  const create = await cost((project) => project.create("production", { base: "staging", env_variables: { REGION: "us" } }));
  const spread = Array.from({ length: CHANGED }, (_, index) => component(Math.floor(((index + 0.5) * components) / CHANGED)));
  await setUp.set("staging", Object.fromEntries(spread.map((name, index) => [name, { changed: index }])));
  const plan = await cost((project) => project.plan("staging", "production"));
  const promote = await cost((project) => project.promote("staging", "production"));
  const rollback = await cost((project) => project.rollback("production", 1));
  return { create, plan, promote, rollback };
}

describe("with 1,000, 10,000 and 100,000 components", () => {
  const costs = new Map<number, Costs>();
  const at = (components: number) => costs.get(components) as Costs;

  beforeAll(async () => {
    for (const size of SIZES) costs.set(size, await costsAt(size));
  });

  test.each(SIZES)("an environment is created from a base by one path of the tree and at most 2 KiB of new objects (%i)", (size) => {
    const { create } = at(size);
    expect(create.objectsLoaded).toBeLessThanOrEqual(levels(size) + 2);
    expect(create.objectBytesWritten).toBeLessThanOrEqual(OBJECT_BYTES);
    expect(create.commits).toBe(1);
  });

  test.each(SIZES)(
    "ten changed components are promoted by at most ten paths on either side and at most 2 KiB of new objects (%i)",
    (size) => {
      for (const cost of [at(size).plan, at(size).promote, at(size).rollback]) {
        expect(cost.objectsLoaded).toBeLessThanOrEqual(2 * CHANGED * levels(size));
        expect(cost.objectBytesWritten).toBeLessThanOrEqual(OBJECT_BYTES);
      }
      expect(at(size).promote.commits).toBe(1);
      expect(at(size).plan.commits).toBe(0);
    },
  );

  test("a hundred times the components cost no more than the tree's depth", () => {
    const [small, large] = [at(1_000), at(100_000)];
    for (const operation of ["create", "plan", "promote", "rollback"] as const) {
      expect(large[operation].objectsLoaded, operation).toBeLessThanOrEqual(4 * small[operation].objectsLoaded);
      expect(large[operation].keysRead, operation).toBe(small[operation].keysRead);
      expect(large[operation].puts, operation).toBe(small[operation].puts);
    }
  });
});

test("a config write costs the same at 10 and at 1,000 revisions of history", async () => {
  const inner = memoryStore();
  const vault = await openVault(inner);
  const counted = counting(inner);
  const setUp = new Project(domainOn(inner, vault));
  await setUp.create("staging", { env_variables: { VALUE: "value-0000" } });
  const write = (project: Project, revision: number) =>
    project.configure("staging", { vars: { VALUE: `value-${String(revision).padStart(4, "0")}` } });
  const costs: Counts[] = [];
  for (let revision = 2; revision <= 1_000; revision++) {
    if (revision !== 10 && revision !== 1_000) {
      await write(setUp, revision);
      continue;
    }
    const cold = new Project(domainOn(counted.store, vault));
    counted.reset();
    await write(cold, revision);
    costs.push({ ...counted.counts });
  }
  expect(costs[1]).toEqual(costs[0]);
});

test("an edit of one flag among 2,000 loads as much as one among 100, but for a level more of the map", async () => {
  const loaded: number[] = [];
  for (const count of [100, 2_000]) {
    const inner = memoryStore();
    const vault = await openVault(inner);
    const counted = counting(inner);
    const setUp = new Project(domainOn(inner, vault));
    await setUp.create("staging");
    const flag = (on: boolean) => ({
      state: "ENABLED",
      variants: { on: true, off: false },
      defaultVariant: on ? "on" : "off",
      metadata: { why: "x".repeat(80) },
    });
    await setUp.configure("staging", { flags: Object.fromEntries(Array.from({ length: count }, (_, n) => [`flag-${n}`, flag(true)])) });
    const cold = new Project(domainOn(counted.store, vault));
    counted.reset();
    await cold.configure("staging", { flags: { "flag-50": flag(false) } });
    loaded.push(counted.counts.objectsLoaded);
  }
  const [few = 0, many = 0] = loaded;
  expect(many - few).toBeLessThanOrEqual(4);
});

/** As much as fits one piece, and never one value alone: of values of 100 KB the first page has eight, those after it two. */
const READINGS: Readonly<Record<string, { readonly perPage: number; open(domain: Domain): Promise<Pick<PiecewiseRead, "pieces">> }>> = {
  state: { perPage: 1, open: (domain) => domain.state.read(PROJECT, "staging", {}) },
  // Of both sides.
  comparison: {
    perPage: 2,
    open: (domain) => domain.comparison.compare(caller("reader"), PROJECT, "staging@2", "staging", { bodies: true }),
  },
};

describe.each(Object.entries(READINGS))(
  "a reader of a large %s makes the engine load what they have taken, and not all that there is:",
  (_, { perPage, open }) => {
    test.each([
      { count: 2_000, length: 100, page: LIMITS.textEntries },
      { count: 100, length: 100_000, page: 8 },
    ])("$count values of $length bytes", async ({ count, length, page }) => {
      const inner = memoryStore();
      const vault = await openVault(inner);
      const counted = counting(inner);
      const setUp = new Project(domainOn(inner, vault));
      await setUp.create("staging");
      for (const version of ["old", "new"]) {
        const flows = Object.fromEntries(
          Array.from({ length: count }, (_, n) => [`flow-${n}`, { text: `${version} ${n}`.padEnd(length) }]),
        );
        await setUp.domain.state.replace(setUp.caller, { project: PROJECT, env: "staging", state: { flows }, ifMatch: null });
      }
      const read = await open(domainOn(counted.store, vault));
      counted.reset();
      let taken = 0;
      for await (const _ of read.pieces()) {
        taken++;
        expect(counted.counts.objectsLoaded).toBeLessThanOrEqual(perPage * taken * (page + NODES_A_PAGE));
      }
      expect(counted.counts.objectsLoaded).toBeGreaterThan(perPage * count);
      if (length > LIMITS.pieceLength / 4) expect(taken).toBeGreaterThan(count / 4);
    });
  },
);

test("a page of thirty environments that run one platform reads no more documents than one of two, and of each its own config alone", async () => {
  const inner = memoryStore();
  const vault = await openVault(inner);
  const counted = counting(inner);
  const setUp = new Project(domainOn(inner, vault));
  await setUp.create("staging", { env_variables: { REGION: "eu" } });
  await setUp.set("staging", { "requires/REGION": { kind: "var" }, "requires/MODE": { kind: "var" } });
  const costs: Counts[] = [];
  for (let made = 1; made < 30; made++) {
    await setUp.create(`copy-${made}`, { base: "staging" });
    if (made !== 1 && made !== 29) continue;
    const cold = domainOn(counted.store, vault);
    counted.reset();
    const { items } = await cold.environments.list(caller("reader"), PROJECT, { limit: 100, cursor: null });
    expect(items.map(({ unbound }) => unbound)).toEqual(Array.from({ length: made + 1 }, () => ["vars/MODE"]));
    costs.push({ ...counted.counts });
  }
  const [two, thirty] = costs as [Counts, Counts];
  expect(thirty.keysRead).toBe(two.keysRead);
  expect(thirty.objectsLoaded - two.objectsLoaded).toBeLessThanOrEqual(28);
});

test.each([
  ["chosen in part", { except: ["pages/*"] }],
  ["merged", { strategy: "merge" as const }],
])("what is promoted %s is carried by reference: no body is loaded, and none is stored again", async (_how, wishes) => {
  const inner = memoryStore();
  const vault = await openVault(inner);
  const counted = counting(inner);
  const setUp = new Project(domainOn(inner, vault));
  await setUp.create("staging");
  await setUp.set("staging", { "pages/other": 0 });
  await setUp.create("production", { base: "staging" });
  const bodies = Array.from({ length: 500 }, (_, index): [string, JsonObject] => [`flows/${index}`, { index, text: "x".repeat(4_000) }]);
  await setUp.set("staging", { ...Object.fromEntries(bodies), "pages/other": 1 });
  await setUp.set("production", { "pages/own": 1 });
  const cold = new Project(domainOn(counted.store, vault));
  counted.reset();
  const { diff_from_previous } = await cold.promote("staging", "production", wishes);
  expect(diff_from_previous.components.added.count).toBeGreaterThanOrEqual(500);
  expect(counted.counts.objectsLoaded).toBeLessThan(150);
  expect(counted.counts.objectBytesWritten).toBeLessThan(64 * 1024);
});
