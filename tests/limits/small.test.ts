import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { LIMITS as Limits } from "../../src/limits.ts";
import { codeOf, openWorld, PROJECT } from "../domain/support.ts";
import { type Answer, serveApp } from "../http/support.ts";
import { expectBound, type Served, serveStaging } from "./support.ts";

/** Bounds that take long to reach, made small: what happens at them does not depend on their size. */
const SMALL = vi.hoisted(() => ({ components: 5, configEntries: 4, compareNames: 3, labelCandidates: 9, weighedLength: 100 }));
/** One that a test sets while it runs, as an engine does that is newer than what it finds. */
const SET = vi.hoisted(() => ({ configBytes: Number.POSITIVE_INFINITY }));

vi.mock("../../src/limits.ts", async (original) => {
  const { LIMITS } = await original<{ LIMITS: typeof Limits }>();
  const { configBytes: _, ...others } = { ...LIMITS, ...SMALL };
  return {
    LIMITS: {
      ...others,
      get configBytes() {
        return SET.configBytes;
      },
    },
  };
});

const pages = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, 1]));
const components = (count: number) => Object.fromEntries(Object.keys(pages(count)).map((name) => [`pages/${name}`, 1]));

test("a platform: as many components as it may have, and one more", async () => {
  const served = await serveStaging();
  const replace = (count: number) =>
    served.ask({ method: "PUT", path: `/env/${PROJECT}/staging/state`, body: { state: { pages: pages(count) } } });
  await expectBound(
    served,
    () => replace(SMALL.components),
    () => replace(SMALL.components + 1),
    "too_large",
  );
  await expectBound(
    served,
    () => served.patchState({ set: { "flows/other": 1 }, remove: ["pages/p0"] }),
    () => served.patchState({ set: { "flows/one-more": 1 } }),
    "too_large",
  );
  const commit = { id: "a".repeat(40), author: "x", email: "x", at: "2026-01-31T12:00:00Z", message: "" };
  const pull = (set: Record<string, number>) =>
    served.ask({ method: "POST", path: `/env/${PROJECT}/staging/git/pull`, body: { commit, set } });
  await expectBound(
    served,
    () => pull({ "flows/other": 1 }),
    () => pull({ "flows/other": 1, "flows/one-more": 1 }),
    "too_large",
  );
});

async function serveTwo(): Promise<Served> {
  const { domain, project } = await openWorld();
  await project.create("development");
  await project.create("staging", { base: "development" });
  const ask = await serveApp(domain);
  const patchState = (body: unknown) => ask({ method: "PATCH", path: `/env/${PROJECT}/development/state`, body });
  return { ask, project, patchState, patchConfig: patchState };
}

test("a platform that is put together of two: as many components as it may have, and one more", async () => {
  const served = await serveTwo();
  const { project } = served;
  const promote = (choice: object) =>
    served.ask({
      method: "POST",
      path: "/env/promote",
      body: { project_id: PROJECT, source_env: "development", target_env: "staging", ...choice },
    });
  await project.set("development", { "pages/p0": 1, "pages/p1": 1, "pages/p2": 1 });
  await project.set("staging", { "flows/own": 1, "flows/other": 1 });
  const past = async (choice: object) => {
    await project.set("development", { "pages/p3": 1 });
    return promote(choice);
  };
  for (const choice of [{ only: ["pages/*"] }, { strategy: "merge" }]) {
    await expectBound(
      served,
      () => promote(choice),
      () => past(choice),
      "too_large",
    );
    await project.remove("development", "pages/p3");
    await project.remove("staging", "pages/p0");
  }
});

const variables = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, ""]));

test("a config, whichever way its entries come: as many as it may have, and one more", async () => {
  const served = await serveTwo();
  const { ask, project } = served;
  const post = (path: string, body: object) => ask({ method: "POST", path, body: { project_id: PROJECT, ...body } });
  const create = (env: string, count: number) => post("/env/create", { new_environment: env, env_variables: variables(count) });
  await expectBound(
    served,
    () => create("fits", SMALL.configEntries),
    () => create("does-not", SMALL.configEntries + 1),
    "too_large",
  );
  const promote = (wishes: object) => post("/env/promote", { source_env: "development", target_env: "staging", ...wishes });
  await project.configure("staging", { vars: variables(SMALL.configEntries - 2) });
  await project.configure("development", { flags: { one: true } });
  await expectBound(
    served,
    () => promote({ env_variables: { MORE: "" } }),
    () => promote({ env_variables: { ONE_MORE: "" } }),
    "too_large",
  );
  await project.configure("development", { flags: { two: true } });
  expect(await promote({})).toMatchObject({ status: 413, body: { code: "too_large" } });
  const { revision } = await project.configure("staging", { vars: { FULL: "" }, unset: ["flags/one"] });
  await project.configure("staging", { secrets: { NAME: "x" }, unset: ["vars/FULL"] });
  // The secrets of today beside the vars of then.
  const rollback = (secrets: object) => post("/env/rollback", { env: "staging", to: revision, ...secrets });
  expect(await rollback({ secrets: "keep_current" })).toMatchObject({ status: 413, body: { code: "too_large" } });
  expect(await rollback({})).toMatchObject({ status: 200 });
});

describe("the values of a config, as JSON without those that are short", () => {
  /** Bytes of a value that is written with its quotes. */
  const SOME = 400;
  const long = (letter: string, bytes: number) => letter.repeat(bytes - 2);
  const pull = ({ ask }: Served, vars: object) =>
    ask({
      method: "POST",
      path: `/env/${PROJECT}/staging/git/pull`,
      body: { commit: { id: "a".repeat(40), author: "x", email: "x", at: "2026-01-31T12:00:00Z", message: "" }, vars },
    });

  beforeEach(() => {
    SET.configBytes = 1_000;
  });
  afterEach(() => {
    SET.configBytes = Number.POSITIVE_INFINITY;
  });

  test("whichever way they come: as many bytes as they may have, and one more", async () => {
    const served = await serveTwo();
    const { ask, project } = served;
    const post = (path: string, body: object) => ask({ method: "POST", path, body: { project_id: PROJECT, ...body } });
    await project.configure("staging", { vars: { A: long("a", SOME), SHORT: "x".repeat(60) } });
    const patch = (vars: object, more: object = {}) =>
      ask({ method: "PATCH", path: `/env/${PROJECT}/staging/config`, body: { vars, ...more } });
    const create = (env: string, bytes: number) =>
      post("/env/create", { new_environment: env, env_variables: { A: long("é", 2), B: long("b", bytes) } });
    const promote = (bytes: number) =>
      post("/env/promote", { source_env: "development", target_env: "staging", env_variables: { B: long("b", bytes) } });
    const ways: Readonly<Record<string, (bytes: number) => Promise<Answer>>> = {
      "an edit": (bytes) => patch({ B: long("b", bytes) }),
      "an edit that is planned": (bytes) => patch({ B: long("c", bytes) }, { dry_run: true }),
      "a promotion": promote,
      "a pull": (bytes) => pull(served, { B: long("b", bytes) }),
    };
    for (const [way, send] of Object.entries(ways)) {
      await project.set("development", { [`pages/${way.replaceAll(" ", "-")}`]: 1 });
      await expectBound(
        served,
        () => send(1_000 - SOME),
        () => send(1_000 - SOME + 1),
        "too_large",
      );
      await project.configure("staging", { unset: (await project.config("staging")).vars["B"] === undefined ? [] : ["vars/B"] });
    }
    await expectBound(
      served,
      () => create("fits", 1_000),
      () => create("does-not", 1_001),
      "too_large",
    );
    await project.configure("development", {
      flags: { big: { variants: { on: long("f", 700) }, defaultVariant: "on", state: "ENABLED" } },
    });
    expect(await post("/env/promote", { source_env: "development", target_env: "staging" })).toMatchObject({
      status: 413,
      body: { code: "too_large" },
    });
  });

  test("an edit of short ones alone is not held to that: as long as they may be, and one more", async () => {
    SET.configBytes = 200;
    const served = await serveStaging();
    const vars = (bytes: number) => Object.fromEntries(["A", "B", "C"].map((name) => [name, long(name, bytes)]));
    await expectBound(
      served,
      () => served.patchConfig({ vars: vars(SMALL.weighedLength) }),
      () => served.patchConfig({ vars: vars(SMALL.weighedLength + 1) }),
      "too_large",
    );
  });

  test("what an older engine let grow larger may become smaller, be restored and be begun from, and not grow", async () => {
    SET.configBytes = Number.POSITIVE_INFINITY;
    const served = await serveTwo();
    const { ask, project } = served;
    const patch = (body: object) => ask({ method: "PATCH", path: `/env/${PROJECT}/staging/config`, body });
    const { revision } = await project.configure("staging", { vars: { A: long("a", 900), B: long("b", 900) } });
    SET.configBytes = 1_000;
    await expectBound(
      served,
      () => patch({ vars: { A: long("c", 900) } }),
      () => patch({ vars: { A: long("c", 901) } }),
      "too_large",
    );
    expect(await patch({ vars: { A: long("a", 800) } })).toMatchObject({ status: 200 });
    expect(await patch({ unset: ["vars/B"] })).toMatchObject({ status: 200 });
    const rollback = { project_id: PROJECT, env: "staging", to: revision };
    expect(await ask({ method: "POST", path: "/env/rollback", body: rollback })).toMatchObject({ status: 200 });
    const preview = { project_id: PROJECT, new_environment: "pr-1", base_from: "staging", type: "preview" };
    expect(await ask({ method: "POST", path: "/env/create", body: preview })).toMatchObject({ status: 201 });
    await project.set("development", { "pages/new": 1 });
    const promotion = { project_id: PROJECT, source_env: "development", target_env: "staging" };
    expect(await ask({ method: "POST", path: "/env/promote", body: promotion })).toMatchObject({ status: 200 });
  });
});

describe("the keys that a platform requires", () => {
  const requires = (count: number, length: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`requires/R${n}`, { kind: "var", default: "x".repeat(length) }]));
  /** Bytes of one with a default of none. */
  const FRAME = '{"default":"","kind":"var"}'.length;

  afterEach(() => {
    SET.configBytes = Number.POSITIVE_INFINITY;
  });

  test("as many as a config has entries, and one more", async () => {
    const served = await serveStaging();
    await expectBound(
      served,
      () => served.patchState({ set: requires(SMALL.configEntries, 1) }),
      () => served.patchState({ set: { "requires/ONE_MORE": { kind: "flag" } } }),
      "too_large",
    );
  });

  test("as many bytes as a config has, and one more; what an older engine let grow larger may become smaller", async () => {
    SET.configBytes = 1_000;
    const served = await serveStaging();
    await expectBound(
      served,
      () => served.patchState({ set: requires(2, 500 - FRAME) }),
      () => served.patchState({ set: requires(1, 501 - FRAME) }),
      "too_large",
    );
    SET.configBytes = 900;
    expect(await served.patchState({ set: requires(1, 490 - FRAME) })).toMatchObject({ status: 200 });
    expect(await served.patchState({ set: { "pages/p": 1 } })).toMatchObject({ status: 200 });
  });
});

test("a comparison names as many as it may, and says how many more there are", async () => {
  const { ask, project } = await serveTwo();
  const compared = async () => {
    const { body } = await ask(`/env/compare?project_id=${PROJECT}&left=staging&right=development`);
    return body.components as { readonly only_right: readonly string[]; readonly omitted?: number };
  };
  await project.set("development", components(SMALL.compareNames));
  expect(await compared()).toMatchObject({ only_right: ["pages/p0", "pages/p1", "pages/p2"] });
  expect(await compared()).not.toHaveProperty("omitted");
  await project.set("development", components(SMALL.compareNames + 1));
  expect(await compared()).toMatchObject({ only_right: ["pages/p0", "pages/p1", "pages/p2"], omitted: 1 });
});

test("a promotion of some components: as many as it may name, and one more", async () => {
  const served = await serveTwo();
  await served.project.set("development", components(SMALL.compareNames + 1));
  const promote = (count: number) =>
    served.ask({
      method: "POST",
      path: "/env/promote",
      body: { project_id: PROJECT, source_env: "development", target_env: "staging", only: Object.keys(components(count)) },
    });
  await expectBound(
    served,
    () => promote(SMALL.compareNames),
    () => promote(SMALL.compareNames + 1),
    "invalid_request",
  );
});

test("a version is looked for among as many as may be tried, and not one more", async () => {
  const { project } = await openWorld();
  await project.create("development");
  await project.create("staging", { base: "development" });
  await project.create("production", { base: "development" });
  for (let taken = 1; taken < SMALL.labelCandidates - 1; taken++) await project.set("development", { "pages/p": taken });
  expect(await project.set("staging", { "pages/q": 1 })).toMatchObject({ version: "v0.9.0" });
  expect(await codeOf(project.set("production", { "pages/r": 1 }))).toBe("version_taken");
  // Whoever names one has it.
  expect(await project.set("production", { "pages/r": 1 }, { version: "v0.10.0" })).toMatchObject({ version: "v0.10.0" });
});
