import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { Engine } from "../support/engine.ts";
import { settled, useDashboard } from "./support.ts";

const dashboard = useDashboard();

test("what another client changes is shown without loading the page again", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`/projects/${project}/env/staging`);
  const { version } = await root.patchConfig({ project, env: "staging", vars: { LOG_LEVEL: "warn" }, message: "By somebody else" });
  const began = performance.now();
  await page.getByText(version, { exact: true }).first().waitFor();
  console.log(`a change by another client: shown after ${Math.round(performance.now() - began)} ms`);
  await page.getByText("By somebody else").waitFor();
  await root.holdEnvironment({ project_id: project, env: "staging", reason: "Looking into it" });
  await page.getByText("Looking into it").waitFor();
  expect(faults).toEqual([]);
});

test("eight tabs share one stream: all show a change, also after the first of them is closed", async () => {
  const { root, project } = dashboard.scene;
  const first = await dashboard.tab();
  const address = `/projects/${project}/env/staging`;
  await first.go(address);
  const others = await Promise.all(Array.from({ length: 7 }, () => dashboard.browser.open()));
  // One after the other, as somebody opens them: a browser has six connections to one engine.
  for (const { page } of others) {
    await page.goto(dashboard.engine.url + address);
    await settled(page);
  }
  const shownBy = async (level: string, tabs: readonly Page[]) => {
    const { version } = await root.patchConfig({ project, env: "staging", vars: { LOG_LEVEL: level } });
    await Promise.all(tabs.map((page) => page.getByText(version, { exact: true }).first().waitFor()));
  };
  await shownBy("one", [first.page, ...others.map(({ page }) => page)]);
  expect(await streamsOf(dashboard.engine)).toBe(1);

  await first.page.close();
  await shownBy(
    "two",
    others.map(({ page }) => page),
  );
  expect(await streamsOf(dashboard.engine)).toBe(1);
  for (const { page, faults } of others) {
    await page.close();
    expect(faults).toEqual([]);
  }
});

/** Replies that the engine is streaming. */
async function streamsOf(engine: Engine): Promise<number> {
  const { text } = await engine.get("/metrics");
  return Number(/^environment_manager_streams (\d+)$/m.exec(text)?.[1]);
}

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
  const began = performance.now();
  await page.getByText(/What you see is .* old/).waitFor({ state: "detached" });
  console.log(`the engine restarted: connected again after ${Math.round(performance.now() - began)} ms`);
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

test("on a narrow screen the page that one is on is in sight among the others", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab({ width: 390, height: 844 });
  for (const [path, name] of [
    ["/settings", "Settings"],
    ["", "Pipeline"],
    ["/env/production", "Pipeline"],
  ] as const) {
    await go(`/projects/${project}${path}`);
    await page.waitForFunction((wanted) => {
      const link = document.querySelector("nav a[aria-current]");
      const nav = link?.closest("nav");
      if (!link || !nav || link.textContent?.startsWith(wanted) !== true) return false;
      const [inner, outer] = [link.getBoundingClientRect(), nav.getBoundingClientRect()];
      return inner.left >= outer.left - 1 && inner.right <= outer.right + 1;
    }, name);
  }
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
