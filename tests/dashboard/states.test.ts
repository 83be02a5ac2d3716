import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { Engine } from "../support/engine.ts";
import { logInHere } from "./browser.ts";
import { pagesOf } from "./scene.ts";
import { eventually, ROOT, settled, useDashboard } from "./support.ts";

const dashboard = useDashboard();
const error = (code: string, reason: string) =>
  JSON.stringify({ status: "error", code, reason, fix_suggestion: "Ask an administrator.", details: {}, request_id: "a-request-id" });

/** Everything that a page reads of a project, but who one is. */
const READS = /\/(env|tokens|readyz)(\/|\?|$)/;

const TROUBLES = {
  "the engine fails": { status: 500, body: error("internal_error", "Something went wrong inside the engine.") },
  "the token may not": { status: 403, body: error("forbidden", "The token may not do that.") },
  "the engine is away": null,
} as const;

async function withTrouble(page: Page, trouble: keyof typeof TROUBLES): Promise<void> {
  const reply = TROUBLES[trouble];
  await page.route(READS, (route) => {
    if (route.request().resourceType() === "document") return route.continue();
    return reply === null ? route.abort("connectionrefused") : route.fulfill({ ...reply, contentType: "application/json" });
  });
}

/** What a page says went wrong, what is not affected, and what to do: read at once, for parts of it fail one after another and again. */
async function explained(page: Page) {
  const { text, canRetry } = await page.getByRole("alert").evaluateAll((alerts) => ({
    text: alerts.map(({ textContent }) => textContent).join(" "),
    canRetry: [...(alerts[0]?.querySelectorAll("button") ?? [])].some(({ textContent }) => textContent === "Try again"),
  }));
  return {
    text,
    happened: /Could not \w+/.test(text),
    unaffected: /Nothing was changed|Applications keep the configuration/.test(text),
    next: canRetry || /administrator/i.test(text),
  };
}

test.each(Object.keys(TROUBLES) as (keyof typeof TROUBLES)[])(
  "every page explains itself and offers the next step where %s",
  async (trouble) => {
    const { page } = await dashboard.tab();
    await withTrouble(page, trouble);
    for (const [name, path] of Object.entries(pagesOf(dashboard.scene))) {
      if (name === "nothing there") continue;
      await page.goto(dashboard.engine.url + path);
      await eventually(() => explained(page), name).toMatchObject({ happened: true, unaffected: true, next: true });
    }
  },
);

test("where the session is over, every page leads to where one logs in, and back", async () => {
  const { page } = await dashboard.tab();
  for (const [name, path] of Object.entries(pagesOf(dashboard.scene))) {
    if (name === "nothing there") continue;
    await dashboard.browser.context.clearCookies();
    await page.goto(dashboard.engine.url + path);
    await logInHere(page, ROOT);
    await settled(page);
    await eventually(() => page.url(), name).toBe(dashboard.engine.url + path);
  }
});

test("whoever logs out while the engine is away is told that they are still logged in, and stays where they are", async () => {
  const { page, go } = await dashboard.tab();
  await go("");
  await page.route(/\/session$/, (route) => (route.request().method() === "DELETE" ? route.abort("connectionrefused") : route.continue()));
  const logOut = async () => {
    await page.getByRole("button", { name: "root" }).click();
    await page.getByRole("menuitem", { name: "Log out" }).click();
  };
  await logOut();
  await page.getByRole("status").getByText("You are still logged in").waitFor();
  expect(new URL(page.url()).pathname).not.toBe("/login");
  await page.unroute(/\/session$/);
  await logOut();
  await page.getByLabel("Access token").waitFor();
  await eventually(() => dashboard.browser.context.cookies()).toEqual([]);
});

test("the token can be typed at once; one that is no token is told so, and the next takes its place", async () => {
  const { page } = await dashboard.tab();
  await dashboard.browser.context.clearCookies();
  await page.goto(`${dashboard.engine.url}/login`);
  const field = page.getByLabel("Access token");
  await field.and(page.locator(":focus")).waitFor();
  await page.keyboard.type("envm_not_a_token");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("That is no valid token.").waitFor();
  await field.and(page.locator(":focus")).waitFor();
  await page.keyboard.type(ROOT);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Projects" }).waitFor();
});

test("an address that leads away from here is not where one gets after logging in", async () => {
  const { page } = await dashboard.tab();
  for (const next of ["/\\evil.example", "//evil.example", "https://evil.example"]) {
    await dashboard.browser.context.clearCookies();
    await page.goto(`${dashboard.engine.url}/login?next=${encodeURIComponent(next)}`);
    await logInHere(page, ROOT);
    await page.getByRole("heading", { level: 1, name: "Projects" }).waitFor();
  }
});

test("where there is nothing yet, pages say how to begin", async () => {
  const { root } = dashboard.scene;
  await root.createEnvironment({ project_id: "empty-project", new_environment: "development" });
  const { page, go } = await dashboard.tab();
  const base = "/projects/empty-project";
  for (const [path, words] of [
    [`${base}/config`, "Nothing is configured yet"],
    [`${base}/state`, "The platform is empty here"],
    [`${base}/previews`, "There are none"],
    [`${base}/promotions`, "Nothing was put up for approval yet"],
    [`${base}/env/development/rollback`, "There is nothing to go back to"],
    [`${base}/compare`, "Two environments are needed"],
  ] as const) {
    await go(path);
    await page.getByText(words).waitFor();
  }
});

test("what an address names that is not there is said, with the way on", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  for (const path of [`/projects/${project}/env/nowhere`, "/projects/none", `/projects/${project}/promotions/none`, "/projects/a/b/c/d"]) {
    await go(path);
    await page
      .getByRole("main")
      .getByRole("link", { name: /^All p/ })
      .first()
      .waitFor();
  }
});

test("what was put away says when and by whom, not that its end is still to come", async () => {
  const { root, project } = dashboard.scene;
  await root.createEnvironment({
    project_id: project,
    new_environment: "put-away",
    base_from: "staging",
    type: "preview",
    expires_in: "72h",
  });
  await root.archiveEnvironment({ project_id: project, env: "put-away" });
  const { page, go } = await dashboard.tab();
  await go(`/projects/${project}/env/put-away`);
  await page.getByText(/^Put away just now by root\./).waitFor();
  expect(await page.getByText(/It ended/).count()).toBe(0);
});

test("a rollback that would change nothing says so beside its button", async () => {
  const { root, project } = dashboard.scene;
  const { revision } = await root.getEnvironment({ project, env: "production" });
  const { page, go } = await dashboard.tab();
  await go(`/projects/${project}/env/production/rollback?to=${revision}`);
  await page.getByText(/^production is so already/).waitFor();
});

test("a part of a page that cannot be read says so, and does not look as though it were still on its way", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  const broken = { status: 500, body: error("internal_error", "Something went wrong inside the engine."), contentType: "application/json" };
  await page.route(new RegExp(`/env/${project}`), (route) => route.fulfill(broken));
  await go("/");
  await eventually(() => page.getByText("Not known: it could not be read").count()).toBe(4);
  await page.unroute(new RegExp(`/env/${project}`));

  await page.route(/\/state$/, (route) => route.fulfill(broken));
  await go(`/projects/${project}/state?env=staging`);
  await page.getByLabel("Upload …").setInputFiles({ name: "state.json", mimeType: "application/json", buffer: Buffer.from("{}") });
  await page.getByRole("dialog").getByText("Could not load what is there now").waitFor();
});

test("what somebody is writing when their session ends is there when they are back, unseen meanwhile, and gone for anybody else", async () => {
  const { root, project } = dashboard.scene;
  const made = await Promise.all([1, 2].map(() => root.createToken({ name: "Joan", role: "editor", projects: [project] })));
  const { page, go } = await dashboard.tab({}, made[0]?.token);
  await go(`/projects/${project}/config`);
  const open = () => page.getByRole("button", { name: "change LOG_LEVEL in development" }).click();
  const value = page.getByRole("dialog", { name: "LOG_LEVEL in development" }).getByLabel("Value");
  const out = page.getByRole("dialog", { name: "You are not logged in any more" });
  await open();
  await value.fill("a long text");
  await root.revokeToken({ id: made[0]?.id ?? "" });
  await out.waitFor();
  expect(await value.isVisible()).toBe(false);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await logInHere(page, made[1]?.token ?? "");
  await out.waitFor({ state: "detached" });
  expect(await value.inputValue()).toBe("a long text");
  await page.getByRole("button", { name: "Save LOG_LEVEL" }).click();
  await value.waitFor({ state: "detached" });
  expect((await root.getConfig({ project, env: "development" })).vars.LOG_LEVEL).toBe("a long text");

  await open();
  await value.fill("another");
  await root.revokeToken({ id: made[1]?.id ?? "" });
  await out.waitFor();
  await logInHere(page, ROOT);
  await page.getByRole("button", { name: "root", exact: true }).waitFor();
  await value.waitFor({ state: "detached" });
});

test("a file whose numbers would change, or that has a member twice, is not uploaded, and says where", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await go(`/projects/${project}/state?env=staging`);
  const dialog = page.getByRole("dialog");
  for (const [text, fault] of [
    ['{"entities": {"A": {"id": 9007199254740993}}}', "a number does not fit a double"],
    ['{"entities": {"A": {"id": 1, "id": 2}}}', "the object has two members of this name"],
  ] as const) {
    await page.getByLabel("Upload …").setInputFiles({ name: "state.json", mimeType: "application/json", buffer: Buffer.from(text) });
    await dialog.getByRole("alert").getByText(fault).waitFor();
    await dialog.getByRole("button", { name: "Replace the state" }).and(page.locator(":disabled")).waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
  }
});

test("a file is not uploaded over what somebody changed after it was compared: that is counted first", async () => {
  const { root, project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await root.createEnvironment({ project_id: project, new_environment: "uploads" });
  await go(`/projects/${project}/state?env=uploads`);
  const content = Buffer.from('{"flows": {"mine": {}}}');
  await page.getByLabel("Upload …").setInputFiles({ name: "state.json", mimeType: "application/json", buffer: content });
  const dialog = page.getByRole("dialog");
  await dialog.getByText("1 component new, 0 changed, 0 removed.").waitFor();
  await page.route(
    (url) => url.pathname.endsWith("/state"),
    async (route) => {
      await root.patchState({ project, env: "uploads", set: { "flows/theirs": {} } });
      await route.continue();
    },
    { times: 1 },
  );
  await dialog.getByRole("button", { name: "Replace the state of uploads" }).click();
  await dialog
    .getByRole("alert")
    .getByText(/changed since it was read/)
    .waitFor();
  expect(Object.keys((await root.getState({ project, env: "uploads" })).state.flows ?? {})).toEqual(["theirs"]);
  await dialog.getByText("1 component new, 0 changed, 1 removed.").waitFor();
  await dialog.getByRole("button", { name: "Replace the state of uploads" }).click();
  await dialog.waitFor({ state: "detached" });
  expect(Object.keys((await root.getState({ project, env: "uploads" })).state.flows ?? {})).toEqual(["mine"]);
  await root.archiveEnvironment({ project_id: project, env: "uploads" });
});

test("what opened a dialog and is gone after it leaves the focus to the page's title", async () => {
  const { root } = dashboard.scene;
  await root.createToken({ name: "passing", role: "reader", projects: ["*"] });
  const { page, go } = await dashboard.tab();
  await go("/settings");
  await page
    .getByRole("row", { name: /passing/ })
    .getByRole("button", { name: /Revoke/ })
    .click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /Revoke/ })
    .click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await eventually(() => page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
});

test("all that waits for approval is counted, not the first page of it", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await page.route(/\/promotions\?.*status=pending/, async (route) => {
    const response = await route.fetch();
    const { items } = await response.json();
    const isFirst = !new URL(route.request().url()).searchParams.has("cursor");
    await route.fulfill({ response, json: { items, next_cursor: isFirst ? "more" : null } });
  });
  await page.route(/cursor=more/, (route) => route.fulfill({ json: { items: [{ id: "another", status: "pending" }], next_cursor: null } }));
  await go(`/projects/${project}`);
  await page.getByRole("link", { name: "Approvals 2 waiting" }).waitFor();
});

/** Has a read answer what it does, with something else in it that an engine in a test never comes to. */
async function changed(page: Page, path: RegExp, change: (body: Readonly<Record<string, unknown>>) => object): Promise<void> {
  await page.route(path, async (route) => {
    if (route.request().resourceType() === "document") return route.continue();
    const response = await route.fetch();
    await route.fulfill({ response, json: change(await response.json()) });
  });
}

test("why what should have happened by itself did not is said where somebody looks for it", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  const report = {
    status: "failed",
    version: "v1",
    revision: 1,
    snapshot: "",
    at: new Date().toISOString(),
    by: "planner",
    reason: "No disk.",
  };
  await changed(page, /\/production$/, (body) => ({
    ...body,
    sync_status: "failed",
    deployment: { ...report, rollback_error: "The vault has forgotten KEY." },
  }));
  await go(`/projects/${project}/env/production`);
  await page.getByText("It was to be rolled back by itself, which failed: The vault has forgotten KEY.").waitFor();

  const webhook = { id: "w", url: "https://hooks.example.com", events: ["*"], envs: ["*"], description: "", active: false };
  const disabled = { at: new Date().toISOString(), reason: "Its receiver says that it is gone." };
  await changed(page, /\/webhooks$/, (body) => ({ ...body, items: [{ ...webhook, disabled }] }));
  await go(`/projects/${project}/settings`);
  await page.getByText("By the engine, just now: Its receiver says that it is gone.").waitFor();

  await changed(page, /\/promotions\?/, (body) => ({
    ...body,
    items: (body.items as object[]).map((item) => ({ ...item, missing: 0 })),
  }));
  await go(`/projects/${project}/promotions`);
  await page.getByText("waits for what is in the way").waitFor();

  await page.route(/\/readyz$/, (route) => route.fulfill({ status: 503, json: { status: "draining", checks: {} } }));
  await go("/settings");
  await page.getByText("The engine is about to stop").waitFor();
});

test("where nobody is asked who they are, nobody is offered to log out", async () => {
  const open = await new Engine().start();
  const { page } = await dashboard.tab();
  await page.goto(open.url);
  await page.getByRole("button", { name: "local" }).click();
  await page.getByRole("menuitem", { name: "API reference" }).waitFor();
  expect(await page.getByRole("menuitem", { name: "Log out" }).count()).toBe(0);
  await open.dispose();
});
