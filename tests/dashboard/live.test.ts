import type { Page, Route } from "playwright-core";
import { expect, test } from "vitest";
import type { Engine } from "../support/engine.ts";
import { logInHere } from "./browser.ts";
import { alone, eventually, ROOT, settled, useDashboard } from "./support.ts";

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
  await eventually(() => streamsOf(dashboard.engine)).toBe(1);

  await first.page.close();
  await shownBy(
    "two",
    others.map(({ page }) => page),
  );
  await eventually(() => streamsOf(dashboard.engine)).toBe(1);
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
  await page.getByText(before, { exact: true }).first().waitFor();
  await dashboard.engine.startOn(port);
  const began = performance.now();
  await page.getByText(/What you see is .* old/).waitFor({ state: "detached" });
  console.log(`the engine restarted: connected again after ${Math.round(performance.now() - began)} ms`);
  const { version } = await root.patchConfig({ project, env: "development", vars: { LOG_LEVEL: "trace" } });
  await page.getByText(version, { exact: true }).first().waitFor();
});

test("while something else answers in the engine's place a page keeps what it shows, and says what it does not know", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  let isAway = false;
  const otherwise = { status: 502, contentType: "text/html", body: "Bad Gateway" };
  await alone(page);
  await page.route("**/watch", (route) => route.fulfill(otherwise));
  await page.route("**/session", (route) => (isAway ? route.fulfill(otherwise) : route.continue()));
  await go(`/projects/${project}/env/development`);
  await page.getByText("The engine does not tell this page what changes").waitFor();
  isAway = true;
  await page.getByText("The engine cannot be reached").waitFor();
  await page.getByText("Lately").waitFor();
  isAway = false;
  await page.unroute("**/watch");
  await page.getByText("The engine cannot be reached").waitFor({ state: "detached" });
});

test("while the engine is away a page keeps what it shows though it asks again and again in vain", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  const streams: Route[] = [];
  await alone(page);
  await page.route("**/watch", (route) => (streams.push(route) === 1 ? undefined : route.abort("connectionrefused")));
  await go(`/projects/${project}/env/development`);
  let failures = 0;
  await page.route(/\/env\/[^/]+\/development(\?|$)/, (route) => route.abort("connectionrefused"));
  page.on("requestfailed", (request) => {
    if (new URL(request.url()).pathname.endsWith("/development")) failures++;
  });
  // The stream tells of a change, and ends. The client sends a read three times, and the page asks anew once that has failed.
  await eventually(() => streams.length).toBeGreaterThan(0);
  await streams[0]?.fulfill({ contentType: "text/event-stream", body: "data: {}\n\n" });
  await eventually(() => failures).toBeGreaterThan(3);
  await page.getByText("The engine cannot be reached").waitFor();
  await page.getByText("Lately").waitFor();
  await eventually(() => page.getByRole("alert").count()).toBe(0);
});

test("where the tabs of a browser cannot share a stream, for its script is of an engine that was upgraded, each has its own", async () => {
  const { root, project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await page.addInitScript(() => {
    window.SharedWorker = class extends SharedWorker {
      constructor(_: string | URL, options?: string | WorkerOptions) {
        super("/assets/of-an-older-engine.js", options);
      }
    };
  });
  await go(`/projects/${project}/env/staging`);
  const { version } = await root.patchConfig({ project, env: "staging", vars: { LOG_LEVEL: "alone" } });
  await page.getByText(version, { exact: true }).first().waitFor();
});

test("where the worker that the tabs of a browser share says nothing, a tab follows by itself", async () => {
  const { root, project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await page.addInitScript(() => {
    const silent = class extends EventTarget {
      readonly port = new MessageChannel().port1;
    };
    Object.assign(window, { SharedWorker: silent });
  });
  await go(`/projects/${project}/env/staging`);
  const { version } = await root.patchConfig({ project, env: "staging", vars: { LOG_LEVEL: "silent" } });
  await page.getByText(version, { exact: true }).first().waitFor();
});

test("where a session ends while a page is open, the page leads to where one logs in, and back", async () => {
  const { root, project } = dashboard.scene;
  const reader = await root.createToken({ name: "Hedy", role: "reader", projects: [project] });
  const { page, go } = await dashboard.tab({}, reader.token);
  const address = `/projects/${project}/env/staging`;
  await go(address);
  await root.revokeToken({ id: reader.id });
  // Nobody pressed anything.
  await logInHere(page, ROOT);
  await settled(page);
  await eventually(() => page.url()).toBe(dashboard.engine.url + address);
  await page.getByRole("button", { name: "root" }).waitFor();
});

/** Two people at one browser: a tab of the first, that shows an environment, and one in which the second has logged in meanwhile. */
async function twoPeople() {
  const { root, project } = dashboard.scene;
  const [before, after] = await Promise.all(
    ["Barbara", "Margaret"].map((name) => root.createToken({ name, role: "reader", projects: [project] })),
  );
  const address = `/projects/${project}/env/staging`;
  const first = await dashboard.tab({}, before?.token);
  await first.go(address);
  await first.page.getByRole("button", { name: "Barbara" }).waitFor();
  return {
    first: first.page,
    second: await dashboard.tabOfWhoLogsIn(after?.token),
    address,
    leave: () => root.revokeToken({ id: before?.id ?? "" }),
  };
}

test("a tab whose browser was logged in by somebody else becomes theirs as soon as they look at the same project, and hears what they may", async () => {
  const { root, project } = dashboard.scene;
  const { first, second, address, leave } = await twoPeople();
  await second.go(address);
  await first.getByRole("button", { name: "Margaret" }).waitFor();
  await leave();
  const { version } = await root.patchConfig({ project, env: "staging", vars: { LOG_LEVEL: "both" } });
  for (const page of [first, second.page]) await page.getByText(version, { exact: true }).first().waitFor();
  await eventually(() => streamsOf(dashboard.engine)).toBe(1);
});

test("a tab whose session ended goes on as whoever has logged in beside it", async () => {
  const { first, leave } = await twoPeople();
  await leave();
  await first.getByRole("button", { name: "Margaret" }).waitFor();
});

test("a tab that shows no project becomes theirs as well, and is left with whoever leaves", async () => {
  const { root } = dashboard.scene;
  const [before, after] = await Promise.all(
    ["Grace", "Katherine"].map((name) => root.createToken({ name, role: "reader", projects: ["*"] })),
  );
  const first = await dashboard.tab({}, before?.token);
  await first.go("/settings");
  await first.page.getByRole("button", { name: "Grace" }).waitFor();
  const second = await dashboard.tabOfWhoLogsIn(after?.token);
  await first.page.getByRole("button", { name: "Katherine" }).waitFor();
  await second.page.getByRole("button", { name: "Katherine" }).click();
  await second.page.getByRole("menuitem", { name: "Log out" }).click();
  await first.page.getByLabel("Access token").waitFor();
});

test("filters are in the address: they survive a reload, and Back", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await go(`/projects/${project}/config`);
  await page.getByLabel("Find a key").fill("stripe");
  await page.getByText("API_URL").first().waitFor({ state: "detached" });
  await page.reload();
  await page.getByText("STRIPE_SECRET_KEY").first().waitFor();
  const filter = () => page.getByLabel("Find a key").inputValue();
  await eventually(filter).toBe("stripe");
  await page.getByRole("link", { name: "History" }).click();
  await page.getByRole("heading", { level: 1, name: "History" }).waitFor();
  await page.goBack();
  await eventually(filter).toBe("stripe");
});

test("letters that are typed faster than a slow machine draws the page all arrive, in the field and in the address", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  const slow = await page.context().newCDPSession(page);
  for (const [path, label, name] of [
    ["/config", "Find a key", "search"],
    ["/state", "Find a component", "search"],
    ["/history", "By whom", "actor"],
    ["/history", "What", "action"],
  ] as const) {
    await go(`/projects/${project}${path}`);
    await slow.send("Emulation.setCPUThrottlingRate", { rate: 8 });
    const field = page.getByLabel(label, { exact: true });
    await field.focus();
    await page.keyboard.type("stripe_secret_k");
    await eventually(() => field.inputValue(), label).toBe("stripe_secret_k");
    await eventually(() => new URL(page.url()).searchParams.get(name), label).toBe("stripe_secret_k");
    expect(await field.inputValue(), label).toBe("stripe_secret_k");
    await slow.send("Emulation.setCPUThrottlingRate", { rate: 1 });
  }
});

test("a filter that is set while another is still on its way to the address takes nothing from it", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await go(`/projects/${project}/config`);
  const slow = await page.context().newCDPSession(page);
  await slow.send("Emulation.setCPUThrottlingRate", { rate: 8 });
  await page.getByLabel("Find a key").focus();
  await page.keyboard.type("stripe");
  await page.getByLabel("Only what is missing or different").click();
  const parameters = () => Object.fromEntries(new URL(page.url()).searchParams);
  await eventually(parameters).toEqual({ search: "stripe", differences: "1" });
});

test("whoever goes to older entries by the keyboard goes on from the page's title", async () => {
  const { root, project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  for (let n = 0; n < 60; n++) await root.patchConfig({ project, env: "development", vars: { LOG_LEVEL: `level ${n}` } });
  await go(`/projects/${project}/history`);
  await page.getByRole("link", { name: "Older" }).press("Enter");
  await page.getByRole("link", { name: "Newest" }).waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.tagName);
  await eventually(focused).toBe("H1");
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
    // Where there is room for both, the project's name is whole, too.
    const whole = page.getByRole("navigation").getByText(project, { exact: true });
    if (name === "Pipeline") await eventually(async () => ((await whole.boundingBox())?.x ?? -1) >= 0).toBe(true);
  }
});

test("Ctrl+K finds every page by its name", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await go(`/projects/${project}`);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Page, environment or project" }).fill("roll back prod");
  // Enter takes the one that stands out.
  await page.getByRole("option", { name: "Roll back production" }).and(page.locator("[data-highlighted]")).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Roll back production" }).waitFor();
  await eventually(() => new URL(page.url()).pathname).toBe(`/projects/${project}/env/production/rollback`);
});

test("a link to a page leads there after logging in", async () => {
  const { project } = dashboard.scene;
  const { page } = await dashboard.tab();
  await dashboard.browser.context.clearCookies();
  await page.goto(`${dashboard.engine.url}/projects/${project}/previews?search=fair`);
  await logInHere(page, ROOT);
  await page.getByRole("heading", { level: 1, name: "Previews" }).waitFor();
  await page.getByRole("link", { name: "demo-fair" }).waitFor();
});
