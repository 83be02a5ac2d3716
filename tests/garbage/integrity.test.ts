import { describe, expect, test } from "vitest";
import { checkStore } from "../../src/integrity.ts";
import { keys } from "../../src/keys.ts";
import type { Environment, Label, Revision } from "../../src/model.ts";
import type { Hash, Json, Key, Store } from "../../src/ports.ts";
import { document, headOf, PROJECT, Project, tamper } from "../domain/support.ts";
import { collect, copyOf, DAY, faultsOf, long, openPlace, type Place } from "./support.ts";

let model: Promise<Place> | undefined;

/** Two environments with a history of every kind of change. */
function open(): Promise<Place> {
  model ??= makeModel();
  return model.then(copyOf);
}

async function openStore(): Promise<Store> {
  return (await open()).store;
}

async function makeModel(): Promise<Place> {
  const place = await openPlace();
  const { project } = place;
  await project.create("staging", { env_variables: { API_KEY: "a", REGION: "eu" } });
  await project.set("staging", { "flows/a": long("a"), "flows/b": long("b") });
  await project.create("production", { base: "staging" });
  await project.set("staging", { "flows/a": long("changed") });
  await project.configure("staging", { secrets: { API_KEY: "b" }, flags: { beta: true } });
  await project.promote("staging", "production");
  await project.remove("staging", "flows/b");
  await project.rollback("production", 1);
  await project.rollback("staging", 2);
  await project.configure("production", { vars: { REGION: "us" } });
  return place;
}

async function change<Value extends object>(store: Store, key: Key, changed: Partial<Value>): Promise<void> {
  await tamper(store, { put: { [key]: { ...(await document<Value>(store, key)), ...changed } as unknown as Json } });
}

async function removeObject(store: Store, hash: Hash): Promise<Uint8Array> {
  const [data] = await store.objects.get(PROJECT, [hash]);
  await store.commit(PROJECT, { checks: [], puts: [], deletes: [], objects: [], objectDeletes: [hash] });
  return data as Uint8Array;
}

const revision = (store: Store, env: string, number: number) => document<Revision>(store, keys.revision(env, number));

describe("a store check", () => {
  test("finds nothing in a store that is whole, tells how much it looked at, and changes nothing", async () => {
    const store = await openStore();
    const before = await store.revision([PROJECT, "_system"]);
    const told: string[] = [];
    const total = await checkStore(store, {
      onFault: (_, what) => told.push(what),
      onProject: (project, { faults }) => told.push(`${project} ${faults}`),
    });
    expect(told).toEqual([`${PROJECT} 0`]);
    expect(total).toMatchObject({ projects: 1, environments: 2, revisions: 10, versions: 6, faults: 0 });
    expect(total.objects).toBeGreaterThan(10);
    expect(await store.revision([PROJECT, "_system"])).toEqual(before);
  });

  test("finds nothing in an empty store, nor in a project of which the name alone was written", async () => {
    const { store } = await openPlace();
    expect(await checkStore(store, { onFault: () => {} })).toMatchObject({ projects: 0, faults: 0 });
    await store.commit("_system", { checks: [], puts: [{ key: "project/ghost", value: {} }], deletes: [], objects: [], objectDeletes: [] });
    expect(await checkStore(store, { onFault: () => {} })).toMatchObject({ projects: 0, faults: 0 });
  });

  test("finds every object that was deleted, node or value, once and by what needs it", async () => {
    const hashes = (await (await openStore()).objects.list(PROJECT, null, 1_000)).map(({ hash }) => hash);
    for (const hash of hashes) {
      const store = await openStore();
      await removeObject(store, hash);
      const faults = await faultsOf(store);
      expect(faults).toEqual([
        expect.stringMatching(new RegExp(`^object ${hash} is missing, which .*revision \\d+ of (staging|production) needs$`)),
      ]);
    }
  });

  test("finds a damaged object", async () => {
    const store = await openStore();
    const { platform } = await revision(store, "staging", 2);
    const data = Buffer.from(await removeObject(store, platform));
    data[data.length - 1] = (data.at(-1) ?? 0) ^ 1;
    await store.objects.put(PROJECT, [{ hash: platform, data }]);
    expect(await faultsOf(store)).toEqual([
      expect.stringMatching(/is damaged \(its bytes have another hash\), which the platform of revision \d of \w+ needs/),
    ]);
  });

  test.each<[string, (store: Store) => Promise<void>, readonly (string | RegExp)[]]>([
    [
      "a missing revision",
      (store) => tamper(store, { remove: [keys.revision("production", 2)] }),
      [
        "revision 2 of production is missing",
        /^link\/production\/v\S+ points to revision 2 of production, which does not exist$/,
        /^series\/production\/\S+ points to revision 2 of production, which does not exist$/,
      ],
    ],
    [
      "missing newest revisions",
      (store) => tamper(store, { remove: [keys.revision("production", 3), keys.revision("production", 4)] }),
      [
        "revisions 3 to 4 of production are missing",
        /^version v\S+ points to revision 4 of production, which does not exist$/,
        /^link\/production\/v\S+ points to revision 3 of production, which does not exist$/,
      ],
    ],
    [
      "a missing revision that a label points to",
      async (store) => tamper(store, { remove: [keys.revision("staging", 3)] }),
      ["revision 3 of staging is missing", /^version v\S+ points to revision 3 of staging, which does not exist$/],
    ],
    [
      "a label to nowhere",
      async (store) => change<Label>(store, keys.label((await revision(store, "staging", 2)).version), { revision: 99 }),
      [/^version v\S+ points to revision 99 of staging, which does not exist$/],
    ],
    [
      "a label whose revision has another version",
      async (store) => change<Label>(store, keys.label((await revision(store, "staging", 2)).version), { revision: 3 }),
      [/^version v\S+ points to revision 3 of staging, which has version v\S+$/],
    ],
    [
      "a missing label",
      async (store) => tamper(store, { remove: [keys.label((await revision(store, "staging", 5)).version)] }),
      [/^revision 5 of staging has version v\S+, which does not exist$/],
    ],
    [
      "a label of another platform",
      async (store) =>
        change<Label>(store, keys.label((await revision(store, "staging", 5)).version), {
          platform: (await revision(store, "staging", 2)).platform,
        }),
      [/^revision 5 of staging has version v\S+, but not that version's platform$/],
    ],
    [
      "a snapshot that is not its roots'",
      (store) => change<Revision>(store, keys.revision("production", 1), { snapshot: "0".repeat(64) }),
      ["revision 1 of production does not have the snapshot that its roots make"],
    ],
    [
      "a head that is not its newest revision",
      async (store) => change<Environment>(store, keys.environment("production"), { config: (await headOf(store, "staging")).config }),
      ["the head of production is not its newest revision 4"],
    ],
    [
      "a head that fell back",
      (store) => change<Environment>(store, keys.environment("staging"), { revision: 5 }),
      ["staging has a revision 6, and its head is revision 5"],
    ],
    [
      "revisions without a head",
      (store) => tamper(store, { remove: [keys.environment("production")] }),
      ["production has revisions, and no head"],
    ],
    [
      "an ancestor that does not exist",
      (store) => change<Revision>(store, keys.revision("production", 1), { parents: [{ env: "staging", revision: 77 }] }),
      ["revision 1 of production descends from revision 77 of staging, which does not exist"],
    ],
    [
      "an audit record that was changed",
      (store) => change(store, keys.audit(3), { actor: "mallory" }),
      ["the audit log does not verify: record 3 was altered"],
    ],
    [
      "a link to nowhere",
      (store) => tamper(store, { put: { [keys.link("staging", "v0.1.0")]: { revision: 42 } } }),
      ["link/staging/v0.1.0 points to revision 42 of staging, which does not exist"],
    ],
    [
      "a series that points to another",
      (store) => tamper(store, { put: { [keys.series("staging", "7")]: { revision: 1 } } }),
      ["series/staging/7 points to revision 1 of staging, which has version v0.1.0"],
    ],
  ])("finds %s", async (_name, damage, expected) => {
    const store = await openStore();
    await damage(store);
    const faults = await faultsOf(store);
    expect(faults).toEqual(expected.map((text) => (typeof text === "string" ? text : expect.stringMatching(text))));
  });

  test("finds a secret of which nothing is known any more, and one that points into another environment", async () => {
    const store = await openStore();
    const [facts] = await store.list(PROJECT, { prefix: keys.secret("staging", ""), limit: 1 });
    await tamper(store, { remove: [facts?.key ?? ""] });
    expect(await faultsOf(store)).toEqual([
      expect.stringMatching(/^the secret API_KEY of revision \d of staging refers to a vault entry of which nothing is known$/),
    ]);
    const other = await openStore();
    const { config, snapshot } = await revision(other, "staging", 1);
    await change<Revision>(other, keys.revision("production", 1), { config, snapshot });
    expect(await faultsOf(other)).toContain("the secret API_KEY of revision 1 of production refers to no vault entry of its environment");
  });

  test("is content with what the collector took, whatever the age of the store", async () => {
    const place = await open();
    const project = new Project(place.project.domain);
    for (let n = 0; n < 120; n++) await project.configure("staging", { vars: { COUNT: String(n) } });
    place.clock.time += 365 * DAY;
    expect(await collect(place)).toMatchObject({ secrets: 1 });
    expect(await faultsOf(place.store)).toEqual([]);
  });
});
