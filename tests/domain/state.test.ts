import { describe, expect, test } from "vitest";
import type { StateEdit } from "../../src/state.ts";
import { codeOf, documents, errorOf, openWorld, PROJECT, type World } from "./support.ts";

async function world(): Promise<World> {
  const world = await openWorld();
  await world.project.create("staging");
  await world.project.set("staging", { "flows/a": 1, "flows/b": 2 });
  return world;
}

describe("a state write that is only planned", () => {
  const asked = { project: PROJECT, env: "staging", ifMatch: null, dry_run: true } satisfies StateEdit;

  test("says what it would change, and changes nothing", async () => {
    const { project, store, domain } = await world();
    const before = await documents(store);
    const { caller } = project;
    expect(await domain.state.replace(caller, { ...asked, state: { flows: { b: 3 }, pages: { home: {} } } })).toMatchObject({
      status: "planned",
      env: "staging",
      revision: 2,
      changes: { components_added: 1, components_changed: 1, components_removed: 1 },
    });
    expect(await domain.state.patch(caller, { ...asked, set: { "flows/a": 1 }, remove: ["flows/b"] })).toMatchObject({
      status: "planned",
      changes: { components_added: 0, components_changed: 0, components_removed: 1 },
    });
    expect(await documents(store)).toEqual(before);
  });

  test("refuses what the write would refuse", async () => {
    const { project, domain } = await world();
    const patch = (wishes: object) => codeOf(domain.state.patch(project.caller, { ...asked, ...wishes }));
    expect(await patch({ remove: ["flows/none"] })).toBe("component_not_found");
    expect(await patch({ set: { nameless: 1 } })).toBe("invalid_name");
    expect(await patch({ set: { "flows/c": 1 }, ifMatch: ["0".repeat(32)] })).toBe("precondition_failed");
    expect(await patch({ set: { "flows/c": 1 }, env: "nowhere" })).toBe("environment_not_found");
    expect(await patch({ set: { "flows/c": 1 }, version: "v0.1.0" })).toBe("version_taken");
    expect(await patch({ set: { "flows/c": 1 }, version: "v9.0.0", bump: "major" })).toBe("invalid_request");
    expect(await patch({ set: { "flows/c": 1 }, project: "no project" })).toBe("invalid_name");
    await project.policy({ environments: { staging: { protected: true } } });
    expect(await patch({ set: { "flows/c": 1 } })).toBe("environment_protected");
    expect(await codeOf(domain.state.replace(project.caller, { ...asked, state: {} }))).toBe("environment_protected");
  });
});

test("a whole state whose components are named as in a change is refused, with the form that it takes", async () => {
  const { project, domain } = await openWorld();
  await project.create("staging");
  const state = { "entities/Customer": { fields: {} } };
  const refused = errorOf(domain.state.replace(project.caller, { project: PROJECT, env: "staging", ifMatch: null, state }));
  expect(await refused).toMatchObject({ code: "invalid_name", fix: expect.stringContaining('{"state":{"flows":{"onboarding":…}}}') });
});
