import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { keys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Caller } from "../../src/model.ts";
import type { Store } from "../../src/ports.ts";
import {
  auditRecords,
  caller,
  codeOf,
  documents,
  domainOn,
  gate,
  headOf,
  memoryStore,
  openVault,
  openWorld,
  PROJECT,
  Project,
  referredEntries,
  storedRevisions,
  TestClock,
  vaultEntries,
  type World,
  watchedVault,
  wrapped,
} from "./support.ts";

const hash = (text: string) => createHash("sha256").update(text).digest("hex");

/** Somebody whose request carries an idempotency key, and asks for `content`. */
function keyed(key: string, content = "the same", actor = "ann"): Caller {
  return { ...caller(actor), once: { id: hash(key), content: hash(content) } };
}

/** Staging has gone further than production; a promotion waits for approval; a preview and an archived environment exist. */
async function world(clock?: TestClock): Promise<World & { readonly waiting: string }> {
  const made = await openWorld({ store: memoryStore(clock) });
  const { project } = made;
  await project.create("staging", { env_variables: { REGION: "eu", API_KEY: "sk-1" } });
  await project.set("staging", { "flows/a": { on: true } }, { version: "v1.0.0" });
  await project.create("production", { base: "staging", secrets: "empty" });
  await project.set("production", { "flows/hotfix": {} }, { version: "v1.0.1" });
  await project.rollback("production", 1);
  await project.set("staging", { "flows/b": {} }, { version: "v1.1.0" });
  await project.create("qa");
  await project.create("old");
  await project.domain.environments.archive(project.caller, { project: PROJECT, env: "old" });
  await project.create("pr-1", { base: "staging", type: "preview", expires_in: "1h" });
  await project.policy({ environments: { qa: { approvals: 1 } } });
  const { promotion_id } = await project.promote("staging", "qa", { env_variables: { TOKEN: "t-1" } });
  return { ...made, waiting: promotion_id ?? "" };
}

type Act = (project: Project, waiting: string) => Promise<unknown>;

const WRITES: readonly (readonly [string, Act])[] = [
  ["a change of the state", (project) => project.set("staging", { "flows/c": { on: true } })],
  [
    "the whole state",
    (project) =>
      project.domain.state.replace(project.caller, { project: PROJECT, env: "staging", state: { flows: { z: 1 } }, ifMatch: null }),
  ],
  ["config with secrets", (project) => project.configure("staging", { vars: { REGION: "us" }, secrets: { API_KEY: "sk-2", OTHER: "x" } })],
  ["config with variables of either kind", (project) => project.configure("staging", { env_variables: { REGION: "us", API_KEY: "sk-2" } })],
  ["a creation", (project) => project.create("new", { base: "staging", env_variables: { DB_PASSWORD: "pw", REGION: "ap" } })],
  ["a preview's update", (project) => project.create("pr-1", { base: "staging", type: "preview", env_variables: { TOKEN: "t" } })],
  ["a promotion", (project) => project.promote("staging", "production", { env_variables: { API_KEY: "sk-live" }, message: "Weekly" })],
  ["a promotion that is put up", (project) => project.promote("staging", "qa", { env_variables: { TOKEN: "t-2" } })],
  [
    "an approval",
    (project, id) =>
      project
        .as({ ...project.caller, actor: "cleo" })
        .domain.pending.approve({ ...project.caller, actor: "cleo" }, { project: PROJECT, id }),
  ],
  [
    "a rejection",
    (project, id) => project.domain.pending.reject({ ...project.caller, actor: "cleo" }, { project: PROJECT, id, comment: "No." }),
  ],
  ["a rollback", (project) => project.rollback("staging", 1)],
  [
    "a deployment report",
    (project) =>
      project.domain.deployments.report(project.caller, { project: PROJECT, env: "staging", version: "v1.1.0", status: "deployed" }),
  ],
  ["a policy", (project) => project.policy({ pipeline: ["staging", "production"] })],
  ["a hold", (project) => project.domain.environments.hold(project.caller, { project: PROJECT, env: "staging", reason: "Stocktaking" })],
  ["a resumption", (project) => project.domain.environments.resume(project.caller, { project: PROJECT, env: "production" })],
  ["an archival", (project) => project.domain.environments.archive(project.caller, { project: PROJECT, env: "staging" })],
  ["a restoration", (project) => project.domain.previews.restore(project.caller, { project: PROJECT, env: "old" })],
  ["an extension", (project) => project.domain.previews.extend(project.caller, { project: PROJECT, env: "pr-1", expires_in: "5h" })],
];

/** As it is sent: the order of members counts. */
const asJson = (value: unknown): string => JSON.stringify(value);

/** Audit records of one write: the last approval tells of itself and of the promotion. */
const recordsOf = (what: string) => (what === "an approval" ? 2 : 1);

/** Nothing in the vault that no revision and no waiting promotion refers to, and no write that is still on its way. */
async function expectNothingLeaked({ store, domain, failures }: World): Promise<void> {
  // What a rejection gave up goes by the sweeper.
  await domain.sweeper.sweep();
  expect(failures).toEqual([]);
  expect(await documents(store, PROJECT, keys.intentPrefix)).toEqual([]);
  const known = new Set(await referredEntries(store));
  for (const { value } of await documents(store, PROJECT, keys.promotionPrefix)) {
    const { references } = value as unknown as { references: Readonly<Record<string, { vault: string }>> };
    for (const { vault } of Object.values(references)) known.add(vault);
  }
  expect((await vaultEntries(store)).filter((path) => !known.has(path))).toEqual([]);
}

describe("the same request with the same key", () => {
  test.each(WRITES)("takes effect once and has the first one's answer: %s", async (what, act) => {
    const made = await world();
    const before = (await auditRecords(made.store)).length;
    const first = asJson(await act(made.project.as(keyed("k")), made.waiting));
    expect((await auditRecords(made.store)).length).toBe(before + recordsOf(what));
    const after = await documents(made.store);
    const entries = await vaultEntries(made.store);
    for (let time = 0; time < 3; time++) {
      expect(asJson(await act(made.project.as(keyed("k")), made.waiting))).toEqual(first);
      expect(await documents(made.store)).toEqual(after);
      expect(await vaultEntries(made.store)).toEqual(entries);
    }
    await expectNothingLeaked(made);
  });

  test.each(WRITES)("but asking for something else is refused and changes nothing: %s", async (_what, act) => {
    const made = await world();
    await act(made.project.as(keyed("k")), made.waiting);
    const after = await documents(made.store);
    expect(await codeOf(act(made.project.as(keyed("k", "something else")), made.waiting))).toBe("idempotency_mismatch");
    expect(await documents(made.store)).toEqual(after);
  });

  test.each(WRITES)("sent twenty times at once takes effect once, and all have one answer: %s", async (what, act) => {
    const made = await world();
    const before = (await auditRecords(made.store)).length;
    const answers = await Promise.all(Array.from({ length: 20 }, () => act(made.project.as(keyed("k")), made.waiting)));
    for (const answer of answers) expect(asJson(answer)).toEqual(asJson(answers[0]));
    expect((await auditRecords(made.store)).length).toBe(before + recordsOf(what));
    await expectNothingLeaked(made);
  });

  test.each(WRITES)("sent to three instances at once takes effect once: %s", async (what, act) => {
    const made = await world();
    const before = (await auditRecords(made.store)).length;
    const projects = [0, 1, 2].map(() => new Project(domainOn(made.store, made.vault)));
    const answers = await Promise.all(
      Array.from({ length: 9 }, (_, index) => act((projects[index % 3] as Project).as(keyed("k")), made.waiting)),
    );
    for (const answer of answers) expect(asJson(answer)).toEqual(asJson(answers[0]));
    expect((await auditRecords(made.store)).length).toBe(before + recordsOf(what));
    await expectNothingLeaked(made);
  });

  test("is known to an instance that was started since", async () => {
    const { project, store, vault } = await world();
    const first = await project.as(keyed("k")).configure("staging", { secrets: { API_KEY: "sk-2" } });
    const later = new Project(domainOn(store, vault), { as: keyed("k") });
    expect(await later.configure("staging", { secrets: { API_KEY: "sk-2" } })).toEqual(first);
    expect((await storedRevisions(store, "staging")).length).toBe(first.revision);
  });

  test("has the first one's answer also where everything has changed since", async () => {
    const { project, domain } = await world();
    const first = await project.as(keyed("k")).set("staging", { "flows/c": 1 });
    await project.set("staging", { "flows/c": 2 });
    await domain.environments.archive(project.caller, { project: PROJECT, env: "staging" });
    expect(await project.as(keyed("k")).set("staging", { "flows/c": 1 })).toEqual(first);
  });

  test("that found nothing to change goes on changing nothing", async () => {
    const { project, store } = await world();
    const first = await project.as(keyed("k")).set("staging", { "flows/b": {} });
    expect(first.status).toBe("no_changes");
    await project.set("staging", { "flows/b": { other: true } });
    const { revision } = await headOf(store, "staging");
    expect(await project.as(keyed("k")).set("staging", { "flows/b": {} })).toEqual(first);
    expect((await headOf(store, "staging")).revision).toBe(revision);
    expect(await project.set("staging", { "flows/b": {} })).toMatchObject({ status: "updated" });
  });

  test("that arrives while the first is writing its secrets waits for nothing and leaves no secret behind", async () => {
    const made = await world();
    const { opened, open } = gate();
    let first = true;
    const slow = watchedVault(made.vault, async ({ call }) => {
      if (call !== "put" || !first) return;
      first = false;
      await opened;
    });
    const late = new Project(domainOn(made.store, slow), { as: keyed("k") });
    const held = late.configure("staging", { secrets: { API_KEY: "sk-2" } });
    const answer = await new Project(domainOn(made.store, slow), { as: keyed("k") }).configure("staging", { secrets: { API_KEY: "sk-2" } });
    open();
    expect(await held).toEqual(answer);
    await expectNothingLeaked(made);
  });

  test("whose first commit nobody knows the outcome of takes effect once", async () => {
    for (const happens of [true, false]) {
      const inner = memoryStore();
      const vault = await openVault(inner);
      let faults = 0;
      const store: Store = wrapped(inner, {
        commit: async (partition, change) => {
          const isIt = partition === PROJECT && faults > 0 && change.puts.some(({ key }) => key.startsWith(keys.revisionsPrefix));
          if (!isIt) return inner.commit(partition, change);
          faults--;
          if (happens) await inner.commit(partition, change);
          throw new AppError("store_unavailable");
        },
        // Nor can it be looked up afterwards.
        get: async (partition, wanted) => {
          if (faults < 0 && wanted.some((key) => key.startsWith(keys.auditPrefix))) throw new AppError("store_unavailable");
          return inner.get(partition, wanted);
        },
      });
      const project = new Project(domainOn(store, vault));
      await project.create("staging");
      faults = 1;
      const request = () => project.as(keyed("k")).set("staging", { "flows/a": 1 });
      const first = await request().catch(() => null);
      const second = await request();
      expect(second).toMatchObject({ status: "updated", revision: 2 });
      if (first !== null) expect(asJson(first)).toEqual(asJson(second));
      expect((await storedRevisions(inner, "staging")).length).toBe(2);
    }
  });
});

describe("a key", () => {
  test("is kept for 24 hours, and no longer", async () => {
    const clock = new TestClock();
    const { project, store } = await world(clock);
    const request = () => project.as(keyed("k")).set("staging", { "flows/c": { on: true } });
    const first = await request();
    await project.set("staging", { "flows/c": { on: false } });
    clock.time += LIMITS.onceMs - 1;
    expect(await request()).toEqual(first);
    clock.time += 1;
    const second = await request();
    expect(second).toMatchObject({ status: "updated", revision: first.revision + 2 });
    // And from then on for as long again; another request may have it, too.
    clock.time += LIMITS.onceMs - 1;
    expect(await request()).toEqual(second);
    clock.time += 1;
    expect(await project.as(keyed("k", "another")).set("staging", { "flows/d": {} })).toMatchObject({ status: "updated" });
    expect((await headOf(store, "staging")).revision).toBe(first.revision + 3);
  });

  test("is kept as long where the clock jumps back", async () => {
    const clock = new TestClock();
    const { project } = await world(clock);
    const first = await project.as(keyed("k")).set("staging", { "flows/c": 1 });
    clock.time -= 48 * 3_600_000;
    expect(await project.as(keyed("k")).set("staging", { "flows/c": 1 })).toEqual(first);
  });

  test("of another request, token or route is another one", async () => {
    const { project } = await world();
    const first = await project.as(keyed("k-1")).set("staging", { "flows/c": 1 });
    const second = await project.as(keyed("k-2")).set("staging", { "flows/c": 2 });
    expect(second.revision).toBe(first.revision + 1);
  });

  test("of a request that failed is free: mended, it takes effect", async () => {
    const { project, store } = await world();
    await project.policy({ environments: { staging: { protected: true } } });
    const request = () => project.as(keyed("k")).set("staging", { "flows/c": 1 });
    const before = await documents(store);
    expect(await codeOf(request())).toBe("environment_protected");
    expect(await documents(store)).toEqual(before);
    await project.policy({});
    expect(await request()).toMatchObject({ status: "updated" });
  });

  test("of a promotion that its checks refused is free, and its secrets are gone", async () => {
    const made = await world();
    const { project } = made;
    await project.set("staging", { "requires/HOST": { kind: "var" } });
    const request = () => project.as(keyed("k")).promote("staging", "production", { env_variables: { API_KEY: "sk" } });
    expect(await codeOf(request())).toBe("checks_failed");
    await expectNothingLeaked(made);
    await project.configure("production", { vars: { HOST: "shop.example" } });
    expect(await request()).toMatchObject({ status: "ready_for_deploy" });
  });

  test("of a plan is free: it can be applied with the same", async () => {
    const { project, store } = await world();
    const before = await documents(store);
    expect(await project.as(keyed("k")).plan("staging", "production")).toMatchObject({ status: "planned" });
    expect(await project.as(keyed("k")).rollback("staging", 1, { dry_run: true })).toMatchObject({ status: "planned" });
    expect(await documents(store)).toEqual(before);
    expect(await project.as(keyed("k")).promote("staging", "production")).toMatchObject({ status: "ready_for_deploy" });
  });

  test("of an approval that found its promotion voided has that answer again", async () => {
    const { project, domain, store, waiting } = await world();
    await project.set("staging", { "flows/late": {} });
    const approve = () => domain.pending.approve(keyed("k", "yes", "cleo"), { project: PROJECT, id: waiting });
    expect(await codeOf(approve())).toBe("promotion_closed");
    const after = await documents(store);
    expect(await codeOf(approve())).toBe("promotion_closed");
    expect(await documents(store)).toEqual(after);
  });

  test("is nowhere in the store, nor is what was asked for", async () => {
    const { project, store } = await world();
    await project.as(keyed("the-key-itself")).configure("staging", { secrets: { API_KEY: "the-value-itself" } });
    const all = JSON.stringify(await documents(store));
    expect(all).not.toContain("the-key-itself");
    expect(all).not.toContain("the-value-itself");
  });

  test("two requests at once with one key and two contents: one takes effect, the other is refused", async () => {
    const { project, store } = await world();
    const { revision } = await headOf(store, "staging");
    const outcomes = await Promise.allSettled([
      project.as(keyed("k", "one")).set("staging", { "flows/c": 1 }),
      project.as(keyed("k", "two")).set("staging", { "flows/c": 2 }),
      project.as(keyed("k", "three")).set("staging", { "flows/b": {} }),
    ]);
    expect(outcomes.map((outcome) => (outcome.status === "rejected" ? (outcome.reason as AppError).code : "done")).sort()).toEqual([
      "done",
      "idempotency_mismatch",
      "idempotency_mismatch",
    ]);
    expect((await headOf(store, "staging")).revision).toBe(revision + 1);
  });
});
