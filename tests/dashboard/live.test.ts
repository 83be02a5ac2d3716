import { expect, test } from "vitest";
import { useDashboard } from "./support.ts";

const dashboard = useDashboard();

test("what another client changes is shown without loading the page again", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`/projects/${project}/env/staging`);
  const { version } = await root.patchConfig({ project, env: "staging", vars: { LOG_LEVEL: "warn" }, message: "By somebody else" });
  await page.getByText(version, { exact: true }).first().waitFor();
  await page.getByText("By somebody else").waitFor();
  await root.holdEnvironment({ project_id: project, env: "staging", reason: "Looking into it" });
  await page.getByText("Looking into it").waitFor();
  expect(faults).toEqual([]);
});

test("while the engine is away a page keeps what it shows and says how old it is; when it is back, it is current again", async () => {
  const { root, project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await go(`/projects/${project}/env/development`);
  const { version: before } = await root.getEnvironment({ project, env: "development" });
  const port = new URL(dashboard.engine.url).port;
  await dashboard.engine.kill9();
  await page.getByText("The engine cannot be reached").first().waitFor();
  await page.getByText(/What you see is .* old/).waitFor();
  expect(await page.getByText(before, { exact: true }).count()).toBeGreaterThan(0);
  await dashboard.engine.startOn(port);
  await page.getByText(/What you see is .* old/).waitFor({ state: "detached" });
  const { version } = await root.patchConfig({ project, env: "development", vars: { LOG_LEVEL: "trace" } });
  await page.getByText(version, { exact: true }).first().waitFor();
});

test("filters are in the address: they survive a reload, and Back", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await go(`/projects/${project}/config`);
  await page.getByLabel("Find a key").fill("stripe");
  await page.getByText("API_URL").waitFor({ state: "detached" });
  await page.reload();
  await page.getByText("STRIPE_SECRET_KEY").first().waitFor();
  expect(await page.getByLabel("Find a key").inputValue()).toBe("stripe");
  await page.getByRole("link", { name: "History" }).click();
  await page.getByRole("heading", { level: 1, name: "History" }).waitFor();
  await page.goBack();
  expect(await page.getByLabel("Find a key").inputValue()).toBe("stripe");
});

test("Ctrl+K finds every page by its name", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await go(`/projects/${project}`);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Page, environment or project" }).fill("roll back prod");
  await page.getByRole("option", { name: "Roll back production" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Roll back production" }).waitFor();
  expect(new URL(page.url()).pathname).toBe(`/projects/${project}/env/production/rollback`);
});

test("a link to a page leads there after logging in", async () => {
  const { project } = dashboard.scene;
  const { page } = await dashboard.tab();
  await dashboard.browser.context.clearCookies();
  await page.goto(`${dashboard.engine.url}/projects/${project}/previews?search=fair`);
  await page.getByLabel("Access token").fill("root-token-of-the-dashboard-tests");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { level: 1, name: "Previews" }).waitFor();
  await page.getByRole("link", { name: "demo-fair" }).waitFor();
});
