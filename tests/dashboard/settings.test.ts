import { expect, test } from "vitest";
import { eventually, settled, useDashboard } from "./support.ts";

const dashboard = useDashboard();
const base = () => `/projects/${dashboard.scene.project}`;

test("a policy that somebody else saved meanwhile is not written over: theirs is shown, and what was not saved is said", async () => {
  const { root, project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await go(`${base()}/settings`);
  const save = page.getByRole("button", { name: "Save the policy" });
  const development = page.getByRole("group", { name: "development" });
  await development.getByLabel("Asks why").check();

  const { policy } = await root.getPolicy({ project });
  await root.replacePolicy({
    project,
    policy: { ...policy, environments: { ...(policy.environments as object), qa: { protected: true } } },
  });
  await page.getByText("Somebody else saved the policy meanwhile").waitFor();
  await save.and(page.locator(":disabled")).waitFor();
  await page.getByRole("button", { name: "Show theirs" }).click();
  await eventually(() => development.getByLabel("Asks why").isChecked()).toBe(false);

  // Where the page was not told of it, the engine says so.
  await page.route(/\/policy$/, (route) => (route.request().method() === "GET" ? route.abort("connectionrefused") : route.continue()));
  await root.replacePolicy({ project, policy: { ...policy, environments: { ...(policy.environments as object), qa: { soak: "1h" } } } });
  await development.getByLabel("Asks why").check();
  await save.click();
  await page.getByText("The policy changed since it was read.").waitFor();
  await page.unroute(/\/policy$/);
  await page.getByText("Somebody else saved the policy meanwhile").waitFor();
  expect((await root.getPolicy({ project })).policy).toMatchObject({ environments: { qa: { soak: "1h" } } });
});

test("what is typed as JSON or as an order counts at once, by the mouse and by the keyboard", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/settings`);
  const { policy } = await root.getPolicy({ project });
  await page.getByText("As JSON, with everything").click();
  const text = page.getByRole("textbox", { name: "Policy" });
  const save = page.getByRole("button", { name: "Save the policy" });
  await text.fill("null");
  await page.getByText("This is no JSON object.", { exact: true }).waitFor();
  await save.and(page.locator(":disabled")).waitFor();
  await text.fill(JSON.stringify({ ...policy, environments: { ...(policy.environments as object), staging: { soak: "2h" } } }));
  await page.getByRole("button", { name: "Save the policy" }).click();
  await page.getByRole("status").getByText("The policy was saved.").waitFor();
  expect((await root.getPolicy({ project })).policy).toMatchObject({ environments: { staging: { soak: "2h" } } });

  await settled(page);
  await page.getByLabel("The way to production").fill("staging, production");
  await page.keyboard.press("Enter");
  await eventually(async () => (await root.getPolicy({ project })).policy.pipeline).toEqual(["staging", "production"]);
  await root.replacePolicy({ project, policy });
  expect(faults).toEqual([]);
});

test("what is typed as JSON and is none is not saved, nor is anything beside it: where it ends to be any is said, and the way out", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/settings`);
  const before = await root.getPolicy({ project });
  const development = page.getByRole("group", { name: "development" });
  await development.getByLabel("Asks why").check();
  await page.getByText("As JSON, with everything").click();
  await page.getByRole("textbox", { name: "Policy" }).fill('{\n  "pipeline": ["staging",]\n}');
  await page.getByText("This is no JSON that can be kept: line 2, column 26: expected a value.", { exact: true }).waitFor();
  await page.getByText(/^What stands there as JSON cannot be saved: .*line 2, column 26/).waitFor();
  await page.getByRole("button", { name: "Save the policy" }).and(page.locator(":disabled")).waitFor();
  await page.getByLabel("The way to production").press("Enter");
  await page.getByRole("textbox", { name: "Policy" }).fill('{"pipeline": ["staging"], "pipeline": []}');
  await page.getByText("line 1, column 27: the object has two members of this name.").first().waitFor();
  await page.getByRole("button", { name: "Undo my changes" }).click();
  await page.getByText("This is no JSON that can be kept").first().waitFor({ state: "detached" });
  await eventually(() => development.getByLabel("Asks why").isChecked()).toBe(false);
  expect(await root.getPolicy({ project })).toEqual(before);
  expect(faults).toEqual([]);
});

test("one of three policies to begin with does not take the place of the whole policy by a single click", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/settings`);
  const before = await root.getPolicy({ project });
  await page.getByRole("button", { name: /^Take “A team”/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/takes the place of the whole policy/).waitFor();
  expect(await root.getPolicy({ project })).toEqual(before);
  await dialog.getByRole("button", { name: "Take “A team”" }).click();
  await dialog.waitFor({ state: "detached" });
  expect((await root.getPolicy({ project })).policy).toMatchObject({ environments: { "type:production": { approvals: 1 } } });
  await eventually(() => page.getByRole("group", { name: "production" }).getByLabel("Asks why").isChecked()).toBe(false);
  await root.replacePolicy({ project, policy: before.policy });
  expect(faults).toEqual([]);
});

test("of many tokens each is found, and those that are valid come first", async () => {
  const { root } = dashboard.scene;
  const names = Array.from({ length: 230 }, (_, index) => `job-${String(index).padStart(3, "0")}`);
  const made = await Promise.all(names.map((name) => root.createToken({ name, role: "reader", projects: ["*"], envs: ["*"] })));
  const { page, go, faults } = await dashboard.tab();
  await go("/settings");
  for (const name of ["job-000", "job-117", "job-229"]) {
    await page.getByLabel("Find a token").fill(name);
    await page.getByRole("cell", { name, exact: true }).waitFor();
  }
  await root.revokeToken({ id: made[0]?.id ?? "" });
  await page.reload();
  await settled(page);
  await eventually(() => page.getByRole("cell", { name: "Revoked" }).count()).toBe(0);
  expect(faults).toEqual([]);
});

test("who is told says since when the oldest of what it has not had waits", async () => {
  const { root, project } = dashboard.scene;
  await root.setMirror({ project, url: "https://git.invalid/x.git", token: "of-the-test" });
  const { page, go } = await dashboard.tab();
  await go(`${base()}/settings`);
  const row = page.getByRole("row", { name: /git.*Cannot be reached/ });
  await row.waitFor();
  expect(await row.locator("[data-title='Waiting since'] time").count()).toBe(1);
  await root.removeMirror({ project });
});
