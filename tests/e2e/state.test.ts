import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { countComponents, readPlatform } from "../../scripts/demo/platform.ts";
import { packageRoot } from "../../src/package.ts";
import { useEngine } from "../support/engine.ts";
import { expectError, Project, succeeded } from "../support/project.ts";

const engine = useEngine();

const STATE = {
  entities: { Order: { fields: { total: "money" } }, Invoice: { fields: { amount: "money" } } },
  flows: { "orders/submit": { actions: ["credit-check"] } },
};

async function withState(state: unknown = STATE): Promise<Project> {
  const project = new Project(engine);
  await project.create("development");
  await project.putState("development", state);
  return project;
}

describe("PUT", () => {
  test("replaces the whole state: what is not in it is gone", async () => {
    const project = await withState();
    const written = await project.putState("development", { pages: { home: { title: "Home" } } });
    expect(written).toMatchObject({ status: "updated", revision: 3 });
    expect(await project.state("development")).toEqual({ pages: { home: { title: "Home" } } });
  });

  test("of what is there already changes nothing: no_changes, the same version and revision", async () => {
    const project = await withState();
    const before = await project.mark("development");
    const { version } = await project.active("development");
    expect(await project.putState("development", STATE)).toMatchObject({ status: "no_changes", version, revision: 2 });
    expect(await project.mark("development")).toEqual(before);
  });

  test("leads to the same snapshot whatever the order of members and edits", async () => {
    const project = await withState();
    const { snapshot } = await project.active("development");
    const reordered = { flows: STATE.flows, entities: { Invoice: STATE.entities.Invoice, Order: STATE.entities.Order } };
    const other = await withState({});
    await other.patchState("development", { set: { "entities/Invoice": STATE.entities.Invoice, "pages/gone": 1 } });
    await other.putState("development", reordered);
    expect((await other.active("development")).snapshot).toBe(snapshot);
  });

  test("keeps any JSON exactly: unicode, null, nested lists, numbers, empty names", async () => {
    const value = { "": [null, true, -1.5e-9, 9007199254740991, "é 日本 🙂 \u2028 \u0000", { a: [[], {}] }], toString: 1 };
    const project = await withState({ pages: { "Übersicht/日本 🙂": value, list: [1, 2], text: "plain", nothing: null } });
    expect(await project.state("development")).toEqual({
      pages: { "Übersicht/日本 🙂": value, list: [1, 2], text: "plain", nothing: null },
    });
  });
});

describe("PATCH", () => {
  test("sets and removes single components and leaves the others", async () => {
    const project = await withState();
    const written = await project.patchState("development", {
      set: { "entities/Order": { fields: { total: "number" } }, "entities/Note": {} },
      remove: ["entities/Invoice"],
      message: "Notes",
    });
    expect(written).toMatchObject({ status: "updated", revision: 3 });
    expect(await project.state("development")).toEqual({
      entities: { Order: { fields: { total: "number" } }, Note: {} },
      flows: STATE.flows,
    });
    const [newest] = await project.revisions("development");
    expect(newest).toMatchObject({ revision: 3, message: "Notes", action: "update" });
  });

  test("by many at once loses none of them", async () => {
    const project = await withState({});
    const names = Array.from({ length: 40 }, (_, index) => `entities/E${index}`);
    const written = await Promise.all(names.map((name) => project.patchState("development", { set: { [name]: { name } } })));
    expect(new Set(written.map(({ revision }) => revision)).size).toBe(40);
    expect(new Set(written.map(({ version }) => version)).size).toBe(40);
    expect(Object.keys((await project.state("development")).entities ?? {})).toHaveLength(40);
    expect(await project.verify()).toMatchObject({ valid: true });
  });
});

describe("versions that edits make", () => {
  test("a change of the platform bumps the minor, of the config the patch, a removal the major", async () => {
    const project = await withState();
    expect((await project.active("development")).version).toBe("v0.2.0");
    expect((await project.patchConfig("development", { vars: { A: "1" } })).version).toBe("v0.2.1");
    expect((await project.patchState("development", { set: { "entities/New": {} } })).version).toBe("v0.3.0");
    expect((await project.patchState("development", { remove: ["entities/New"] })).version).toBe("v1.0.0");
  });

  test("a new required key without a default bumps the major, one with a default the minor", async () => {
    const project = await withState();
    const optional = { "requires/REGION": { kind: "var", description: "Where data is kept.", default: "eu" } };
    expect((await project.patchState("development", { set: optional })).version).toBe("v0.3.0");
    expect(
      (await project.patchState("development", { set: { "requires/API_KEY": { kind: "secret", description: "Calls the ERP." } } })).version,
    ).toBe("v1.0.0");
  });

  test("the request may name the part to bump or the exact version, which nobody may have had", async () => {
    const project = await withState();
    expect((await project.patchState("development", { set: { "entities/A": {} }, bump: "major" })).version).toBe("v1.0.0");
    expect((await project.patchState("development", { set: { "entities/B": {} }, version: "v2.3.1" })).version).toBe("v2.3.1");
    const taken = await engine.request("PATCH", project.path("development", "state"), { set: { "entities/C": {} }, version: "v2.3.1" });
    expectError(taken, 409, "version_taken");
    expect((await project.active("development")).revision).toBe(4);
  });

  test("a label that another environment took is skipped", async () => {
    const project = await withState();
    await project.create("staging", { base_from: "development" });
    const development = await project.patchState("development", { set: { "entities/A": {} } });
    const staging = await project.patchState("staging", { set: { "entities/B": {} } });
    expect([development.version, staging.version]).toEqual(["v0.3.0", "v0.4.0"]);
  });
});

describe("GET", () => {
  test("of one collection shows that one alone", async () => {
    const project = await withState();
    const reply = await engine.get(project.path("development", "state", "flows"));
    expect(reply.status, reply.text).toBe(200);
    expect(reply.text).toContain("credit-check");
    expect(reply.text).not.toContain("Invoice");
  });

  test("of one component takes its name percent-encoded, slashes included", async () => {
    const project = await withState();
    const reply = await engine.get(`/env/${project.id}/development/state/flows/orders%2Fsubmit`);
    expect(reply.status, reply.text).toBe(200);
    expect(reply.text).toContain("credit-check");
    expect(reply.text).not.toContain("entities");
  });

  test("with ?at= shows the state as it was", async () => {
    const project = await withState();
    await project.putState("development", { pages: { home: {} } });
    expect(await project.state("development", "?at=1")).toEqual({});
    expect(await project.state("development", "?at=2")).toEqual(STATE);
    expect(await project.state("development", "?at=3")).toEqual({ pages: { home: {} } });
    expectError(await engine.get(`${project.path("development", "state")}?at=4`), 404, "revision_not_found");
  });

  test("of what does not exist says which part of it", async () => {
    const project = await withState();
    expectError(await engine.get(project.path("development", "state", "flows", "nothing")), 404, "component_not_found");
    expectError(await engine.get(project.path("development", "state", "nothing", "x")), 404, "component_not_found");
    expectError(await engine.get(project.path("nowhere", "state")), 404, "environment_not_found");
  });
});

describe("ETag", () => {
  test("answers 304 while nothing changed, and 200 once something has", async () => {
    const project = await withState();
    for (const path of [["state"], ["state", "flows"], ["state", "flows", "orders/submit"], ["config"], ["active"]]) {
      const url = project.path("development", ...path);
      const first = await engine.get(url);
      const etag = first.headers.etag ?? "";
      expect(etag, url).toMatch(/^(W\/)?".+"$/);
      const unchanged = await engine.get(url, { "if-none-match": etag });
      expect({ url, status: unchanged.status, text: unchanged.text }).toEqual({ url, status: 304, text: "" });
    }
    const url = project.path("development", "state");
    const etag = (await engine.get(url)).headers.etag ?? "";
    await project.patchState("development", { set: { "entities/Note": {} } });
    const changed = await engine.get(url, { "if-none-match": etag });
    expect(changed.status).toBe(200);
    expect(changed.headers.etag).not.toBe(etag);
  });

  test("in If-Match lets a write through that saw the newest state, and refuses one that did not", async () => {
    const project = await withState();
    const url = project.path("development", "state");
    const etag = (await engine.get(url)).headers.etag ?? "";
    succeeded(await engine.request("PATCH", url, { set: { "entities/A": {} } }, { "if-match": etag }));

    const before = await project.mark("development");
    expectError(await engine.request("PATCH", url, { set: { "entities/B": {} } }, { "if-match": etag }), 412, "precondition_failed");
    expectError(await engine.request("PUT", url, { state: {} }, { "if-match": etag }), 412, "precondition_failed");
    // The ETag of another read names more than what is changed, and never lets a write through: it is said which one does.
    const active = (await engine.get(project.path("development", "active"))).headers.etag ?? "";
    const refused = expectError(await engine.request("PUT", url, { state: {} }, { "if-match": active }), 412, "precondition_failed");
    expect(refused.fix_suggestion).toMatch(/^Read its state or config again/);
    expect(await project.mark("development")).toEqual(before);
  });

  test("of two writers that saw the same state one wins", async () => {
    const project = await withState();
    const url = project.path("development", "state");
    const etag = (await engine.get(url)).headers.etag ?? "";
    const write = (name: string) => engine.request("PATCH", url, { set: { [name]: {} } }, { "if-match": etag });
    const replies = await Promise.all(["entities/A", "entities/B", "entities/C"].map(write));
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
  });
});

test("a protected environment's state is not written directly", async () => {
  const project = await withState();
  await project.create("production", { base_from: "development" });
  await project.putPolicy({ environments: { production: { protected: true } } });
  const before = await project.mark("production");
  const url = project.path("production", "state");
  expectError(await engine.request("PUT", url, { state: {} }), 409, "environment_protected");
  expectError(await engine.request("PATCH", url, { set: { "entities/A": {} } }), 409, "environment_protected");
  expect(await project.mark("production")).toEqual(before);
});

test("a real platform goes in and comes out unchanged", async (context) => {
  const real = resolve(packageRoot(), "../shared/data/workflow-platform.json.gz");
  const path = existsSync(real) ? real : resolve(packageRoot(), "examples/customer-portal.json");
  if (path !== real) context.annotate(`${real} is absent: the project's own example stands in`);
  const state = readPlatform(path);
  const project = await withState(state);
  expect(await project.state("development")).toEqual(state);
  expect(countComponents(state)).toBeGreaterThanOrEqual(48);
});
