import { expect, test } from "vitest";
import { eventually, useDashboard } from "./support.ts";

const dashboard = useDashboard();
const COUNT = process.env.ENV_MANAGER_TEST_LONG === undefined ? 2_000 : 10_000;
const TOGETHER = 32;

test(`${COUNT} previews: a screenful of rows is in the page, which says how many there are, and the last is found`, async () => {
  const { root, project } = dashboard.scene;
  const names = Array.from({ length: COUNT }, (_, index) => `many-${String(index + 1).padStart(5, "0")}`);
  for (let from = 0; from < names.length; from += TOGETHER) {
    const batch = names.slice(from, from + TOGETHER);
    await Promise.all(
      batch.map((env) =>
        root.createEnvironment({ project_id: project, new_environment: env, base_from: "development", type: "preview", secrets: "empty" }),
      ),
    );
  }
  const { page, faults } = await dashboard.tab();
  const began = performance.now();
  await page.goto(`${dashboard.engine.url}/projects/${project}/previews?search=many-`);
  await page.getByRole("link", { name: "many-00001" }).waitFor();
  console.log(`${COUNT} previews: first rows ${Math.round(performance.now() - began)} ms after navigation`);
  const table = page.getByRole("table");
  await eventually(() => table.getAttribute("aria-rowcount")).toBe(String(COUNT + 1));
  expect(await table.locator("tbody tr").count()).toBeLessThanOrEqual(100);

  // Rows come as somebody scrolls, and say where they stand.
  const region = page.getByRole("region", { name: "Previews" });
  await region.evaluate((element) => element.scrollTo({ top: element.scrollHeight }));
  await page.locator("tr[aria-rowindex='201']").waitFor();
  expect(await table.locator("tbody tr").count()).toBeLessThanOrEqual(100);

  const last = names.at(-1) ?? "";
  await page.getByLabel("Find a preview").fill(last);
  await page.getByRole("link", { name: last }).waitFor();
  await eventually(() => table.getAttribute("aria-rowcount")).toBe("2");
  expect(faults).toEqual([]);
});

test("a preview is made and extended here", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`/projects/${project}/previews`);
  await page.getByRole("button", { name: "New preview …" }).click();
  await page.getByLabel("Name").fill("pr-977");
  await page.getByRole("button", { name: "Create preview" }).click();
  await page
    .getByRole("status")
    .getByText(/^pr-977 is there\./)
    .waitFor();
  await page.getByLabel("Find a preview").fill("pr-977");
  const { expires_at: before } = await root.getEnvironment({ project, env: "pr-977" });
  await page.getByRole("button", { name: "Extend pr-977" }).click();
  await page.getByLabel("Lives for").selectOption("14d");
  await page.getByRole("dialog").getByRole("button", { name: "Extend pr-977" }).click();
  await page
    .getByRole("status")
    .getByText(/^pr-977 goes on until/)
    .waitFor();
  const { expires_at: after } = await root.getEnvironment({ project, env: "pr-977" });
  expect(Date.parse(after ?? "")).toBeGreaterThan(Date.parse(before ?? ""));
  expect(faults).toEqual([]);
});
