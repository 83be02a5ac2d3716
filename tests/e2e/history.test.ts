import { beforeAll, describe, expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { expectError, type PageOf, Project, type RevisionEntry } from "../support/project.ts";

const engine = useEngine();
const EDITS = 12;

let project: Project;

beforeAll(async () => {
  project = new Project(engine);
  await project.create("development");
  for (let edit = 1; edit <= EDITS; edit++) {
    await project.patchState("development", { set: { "flows/submit": { edit } }, message: `Edit ${edit}` });
  }
  await project.create("staging", { base_from: "development" });
});

/** All items of a list, page by page. */
async function pages<Item>(path: string, limit: number): Promise<readonly (readonly Item[])[]> {
  const found: (readonly Item[])[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: PageOf<Item> = await project.read<PageOf<Item>>(
      `${path}?limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    found.push(page.items);
    cursor = page.next_cursor;
    expect(found.length).toBeLessThan(100);
  }
  return found;
}

describe("the version log of an environment", () => {
  test("has an entry for each state, newest first, without gaps", async () => {
    const revisions = await project.revisions("development");
    expect(revisions.map(({ revision }) => revision)).toEqual(Array.from({ length: EDITS + 1 }, (_, index) => EDITS + 1 - index));
    expect(new Set(revisions.map(({ version }) => version)).size).toBe(EDITS + 1);
  });

  test("says of each who, when, why and what", async () => {
    const [newest] = await project.revisions("development");
    expect(newest).toMatchObject({
      project_id: project.id,
      env: "development",
      revision: EDITS + 1,
      version: `v0.${EDITS + 1}.0`,
      action: "update",
      message: `Edit ${EDITS}`,
      changes: { flows_updated: 1, feature_flags: [], env_vars_changed: [] },
    });
    expect(newest?.created_by).toMatch(/\S/);
    expect(newest?.snapshot).toMatch(/\S/);
    expect(newest?.parents).toHaveLength(1);
    expect(new Date(newest?.timestamp ?? "").toISOString()).toBe(newest?.timestamp);
    expect((await project.revisions("development")).at(-1)).toMatchObject({ revision: 1, action: "create" });
  });

  test("gives one entry by its number", async () => {
    expect(await project.read<RevisionEntry>(project.path("development", "revisions", "3"))).toMatchObject({
      revision: 3,
      message: "Edit 2",
    });
    expectError(await engine.get(project.path("development", "revisions", "99")), 404, "revision_not_found");
  });
});

describe("paging", () => {
  test.each([
    ["revisions of an environment", ["development", "revisions"]],
    ["versions of the project", ["versions"]],
    ["audit records", ["audit"]],
    ["environments", []],
  ])("through %s gives each item once, in the order of the whole list", async (_what, parts) => {
    const path = project.path(...parts);
    const [whole] = await pages<unknown>(path, 1_000);
    for (const limit of [1, 5]) {
      const found = await pages<unknown>(path, limit);
      expect(found.flat()).toEqual(whole);
      for (const page of found) expect(page.length).toBeLessThanOrEqual(limit);
    }
  });

  test("stays where it was while newer items come in", async () => {
    const own = new Project(engine);
    await own.create("development");
    for (let edit = 1; edit <= 3; edit++) await own.patchState("development", { set: { "flows/submit": edit } });
    const path = own.path("development", "revisions");
    const first = await own.read<PageOf<RevisionEntry>>(`${path}?limit=2`);
    await own.patchState("development", { set: { "flows/submit": 4 } });
    const second = await own.read<PageOf<RevisionEntry>>(`${path}?limit=2&cursor=${encodeURIComponent(first.next_cursor ?? "")}`);
    expect([...first.items, ...second.items].map(({ revision }) => revision)).toEqual([4, 3, 2, 1]);
  });

  test.each(["limit=0", "limit=-1", "limit=many", "limit=1.5", "cursor=%00", "cursor=no-such-cursor"])("refuses ?%s", async (query) => {
    expectError(await engine.get(`${project.path("development", "revisions")}?${query}`), 400, "invalid_request");
  });
});

describe("the versions of a project", () => {
  test("name each label once, with where it was first given", async () => {
    const [versions] = await pages<{ readonly version: string }>(project.path("versions"), 1_000);
    const labels = (versions ?? []).map(({ version }) => version);
    expect(new Set(labels).size).toBe(labels.length);
    expect(labels).toEqual(expect.arrayContaining(["v0.1.0", "v0.2.0", `v0.${EDITS + 1}.0`]));
  });

  test("give one by its label", async () => {
    expect(await project.read(project.path("versions", "v0.2.0"))).toMatchObject({ version: "v0.2.0", env: "development" });
    expectError(await engine.get(project.path("versions", "v9.9.9")), 404, "version_not_found");
  });
});
