import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { EnvmError } from "../../src/sdk/errors.ts";
import { alone, eventually, settled, useDashboard } from "./support.ts";

const dashboard = useDashboard();
let edits = 0;

/** Something new in development, to promote. */
async function somethingNew(): Promise<string> {
  const { root, project } = dashboard.scene;
  const name = `Thing${++edits}`;
  await root.patchState({
    project,
    env: "development",
    set: { [`entities/${name}`]: { label: name } },
    remove: edits === 1 ? ["requires/PAYMENT_KEY"] : [],
  });
  return name;
}

const promoteAddress = () => `/projects/${dashboard.scene.project}/promote?from=development&to=staging`;
const button = (page: Page) => page.getByRole("button", { name: /^Promote v.* to staging$/ });

/** Presses Tab until what has the focus is called so. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let presses = 0; presses < 200; presses++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement | null;
      const outline = element === null ? "none" : getComputedStyle(element).outlineStyle;
      return { name: element?.getAttribute("aria-label") ?? element?.textContent ?? "", outline };
    });
    if (!name.test(focused.name.trim())) continue;
    expect(focused.outline, `the focus on ${focused.name} can be seen`).not.toBe("none");
    return;
  }
  throw new Error(`nothing that Tab reaches is called ${name}`);
}

test("a promotion is made by keyboard alone, and its result is read out", async () => {
  const name = await somethingNew();
  const { page, go, faults } = await dashboard.tab();
  await go(`/projects/${dashboard.scene.project}`);
  await page.getByText(`1 entity new: ${name}`).first().waitFor();
  await tabTo(page, /^Promote to staging$/);
  await page.keyboard.press("Enter");
  // The pipeline says the same: this button is on the page that it leads to alone.
  await button(page).waitFor();
  await page.getByText(`1 entity new: ${name}`).first().waitFor();
  await settled(page);
  await tabTo(page, /^Promote v.* to staging$/);
  await page.keyboard.press("Enter");
  await page
    .getByRole("status")
    .getByText(/was promoted to staging/)
    .waitFor();
  const { state } = await dashboard.scene.root.getState({ project: dashboard.scene.project, env: "staging" });
  expect(state["entities"]).toHaveProperty(name);
  expect(faults).toEqual([]);
});

test("of two tabs that confirm the same promotion one wins, and the other is told to review again", async () => {
  await somethingNew();
  const first = await dashboard.tab();
  await first.go(promoteAddress());
  await button(first.page).waitFor();
  // A tab that hears of nothing, as one whose stream is late.
  const second = await dashboard.browser.open();
  await alone(second.page);
  await second.page.route("**/watch", (route) => route.abort());
  await second.page.goto(dashboard.engine.url + promoteAddress());
  await settled(second.page);
  await button(second.page).waitFor();

  await button(first.page).click();
  await first.page
    .getByRole("status")
    .getByText(/was promoted to staging/)
    .waitFor();
  await button(second.page).click();
  await second.page.getByText("Something changed while you were looking").waitFor();
  await second.page.getByRole("button", { name: "Review again" }).click();
  await second.page.getByText("There is nothing to promote").waitFor();
  await second.page.close();
});

test("a double click sends one request", async () => {
  await somethingNew();
  const { page, go } = await dashboard.tab();
  await go(promoteAddress());
  await button(page).waitFor();
  const sent: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/env/promote") && !request.postData()?.includes("dry_run"))
      sent.push(request.url());
  });
  await button(page).dblclick();
  await page
    .getByRole("status")
    .getByText(/was promoted to staging/)
    .waitFor();
  expect(sent).toHaveLength(1);
});

test("a version whose content is there already under another label is a promotion, and what changes nothing is none", async () => {
  const { root, project } = dashboard.scene;
  const name = await somethingNew();
  const { page, go } = await dashboard.tab();
  await go(promoteAddress());
  await button(page).click();
  await page
    .getByRole("status")
    .getByText(/was promoted to staging/)
    .waitFor();
  // There and back: the same content, two labels later.
  await root.patchState({ project, env: "development", set: { [`entities/${name}`]: { label: "Another" } } });
  const { version } = await root.patchState({ project, env: "development", set: { [`entities/${name}`]: { label: name } } });
  expect(await root.promote({ project_id: project, source_env: "development", target_env: "staging", dry_run: true })).toMatchObject({
    changes_nothing: false,
    diff_from_previous: { components: { added: { count: 0 }, changed: { count: 0 }, removed: { count: 0 } } },
  });
  await go(promoteAddress());
  await page.getByRole("button", { name: `Promote ${version} to staging` }).click();
  await page
    .getByRole("status")
    .getByText(/was promoted to staging/)
    .waitFor();
  expect(await root.getEnvironment({ project, env: "staging" })).toMatchObject({ version });
  await go(promoteAddress());
  await page.getByText("There is nothing to promote").waitFor();
  expect(await button(page).count()).toBe(0);
});

test("production asks for a reason and its name, here and of everybody", async () => {
  const { root, project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await go(`/projects/${project}/promote?from=staging&to=production`);
  const ask = page.getByRole("button", { name: /^Ask to promote v.* to production$/ });
  await ask.waitFor();
  await eventually(() => ask.isDisabled()).toBe(true);
  await page.getByLabel("Why").fill("It was tried out");
  await eventually(() => ask.isDisabled()).toBe(true);
  await page.getByLabel("Type production to confirm").fill("prod");
  await eventually(() => ask.isDisabled()).toBe(true);
  await page.getByLabel("Type production to confirm").fill("production");
  await eventually(() => ask.isEnabled()).toBe(true);

  const request = { project_id: project, source_env: "staging", target_env: "production" };
  for (const word of [{}, { message: "Why" }, { confirm: "production" }, { message: "Why", confirm: "prod" }]) {
    const error = await root.promote({ ...request, ...word }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EnvmError);
    expect((error as EnvmError).code).toBe("invalid_request");
  }
});

test("values that the target lacks are filled in on the spot, and travel with the promotion alone", async () => {
  const { root, project } = dashboard.scene;
  await root.patchState({ project, env: "development", set: { "requires/SHOP_NAME": { kind: "var", description: "What it is called" } } });
  const { page, go } = await dashboard.tab();
  await go(promoteAddress());
  await page.getByLabel("SHOP_NAME").fill("Corner shop");
  await eventually(() => button(page).isDisabled()).toBe(true);
  await page.getByRole("button", { name: "Put into the plan" }).click();
  await page.waitForFunction(() =>
    [...document.querySelectorAll("button")].some((each) => /^Promote v/.test(each.textContent ?? "") && !each.disabled),
  );
  await button(page).click();
  await page
    .getByRole("status")
    .getByText(/was promoted to staging/)
    .waitFor();
  expect((await root.getConfig({ project, env: "staging" })).vars).toMatchObject({ SHOP_NAME: "Corner shop" });
});

test("somebody else approves, and whoever asked cannot", async () => {
  const { project, grace, root } = dashboard.scene;
  await root.patchConfig({ project, env: "production", vars: { SHOP_NAME: "Corner shop" } });
  const asked = await root.promote({
    project_id: project,
    source_env: "staging",
    target_env: "production",
    message: "Now",
    confirm: "production",
  });
  const address = `/projects/${project}/promotions/${asked.promotion_id}`;
  const own = await dashboard.tab();
  await own.go(address);
  await own.page.getByText("somebody else has to agree").waitFor();
  await eventually(() => own.page.getByRole("button", { name: /^Approve/ }).count()).toBe(0);

  const other = await dashboard.tab({}, grace);
  await other.go(address);
  await other.page.getByRole("button", { name: /^Approve v.* for production$/ }).click();
  await other.page
    .getByRole("status")
    .getByText(/was promoted to production/)
    .waitFor();
});

test("a rollback says what returns and what does not, and leaves a hold that can be lifted", async () => {
  const { project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await go(`/projects/${project}/env/production/rollback`);
  await page.getByText("What does not go back").waitFor();
  await page.getByLabel("Why").fill("Checkout fails");
  await page.getByLabel("Type production to confirm").fill("production");
  await page.getByRole("button", { name: /^Roll production back to/ }).click();
  await page
    .getByRole("status")
    .getByText(/^production is back at/)
    .waitFor();
  // The result stays, with what lifts the hold; the environment's page says so too.
  await page.getByRole("link", { name: "See it in the history" }).waitFor();
  await page.getByRole("button", { name: "Resume" }).waitFor();
  await go(`/projects/${project}/env/production`);
  await page.getByText("On hold").first().waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByRole("status").getByText("production takes automatic promotions again.").waitFor();
});

test("where the vault has forgotten a password of then, the way back is open with those of today", async () => {
  const { root, project } = dashboard.scene;
  await root.patchConfig({ project, env: "development", secrets: { STRIPE_SECRET_KEY: "another" }, vars: { LOG_LEVEL: "silent" } });
  const { page, go } = await dashboard.tab();
  // What no vault does within a test.
  const reason = "The vault no longer has the old values of: STRIPE_SECRET_KEY.";
  const refusal = { status: "error", code: "secret_unavailable", reason, fix_suggestion: "", details: {}, request_id: "a-request-id" };
  await page.route(/\/env\/rollback$/, (route) =>
    route.request().postDataJSON().secrets === "keep_current" ? route.continue() : route.fulfill({ status: 409, json: refusal }),
  );
  await go(`/projects/${project}/env/development/rollback`);
  await page.getByText(reason).waitFor();
  await page.getByRole("button", { name: "Keep today’s passwords" }).click();
  await page.getByText("The passwords stay those of today.").waitFor();
  await page.getByRole("button", { name: /^Roll development back to/ }).click();
  await page
    .getByRole("status")
    .getByText(/^development is back at/)
    .waitFor();
  const [record] = (await root.listAudit({ project, action: "rollback", env: "development", limit: 1 })).items;
  expect(record?.details.secrets).toBe("keep_current");
});

test("a value that cannot be planned takes nothing away: what is wrong with it is said beside it, and another takes its place", async () => {
  const { root, project } = dashboard.scene;
  await root.patchState({ project, env: "development", set: { "requires/SHOP_MOTTO": { kind: "var", description: "What it says" } } });
  const { page, go } = await dashboard.tab();
  await go(promoteAddress());
  const field = page.getByLabel("SHOP_MOTTO");
  await field.fill("x".repeat(LIMITS.varBytes + 1));
  await page.getByRole("button", { name: "Put into the plan" }).click();
  await page.getByRole("alert").getByText("Could not plan that").waitFor();
  await eventually(() => button(page).isDisabled()).toBe(true);
  await field.fill("Open all day");
  await page.getByRole("button", { name: "Put into the plan" }).click();
  await page.getByText("Could not plan that").waitFor({ state: "detached" });
  await button(page).click();
  await page
    .getByRole("status")
    .getByText(/was promoted to staging/)
    .waitFor();
  expect((await root.getConfig({ project, env: "staging" })).vars).toMatchObject({ SHOP_MOTTO: "Open all day" });
});

test("an environment that is closed for promotions says so, and when it opens", async () => {
  const { root, project } = dashboard.scene;
  const yesterday = new Date(Date.now() - 24 * 3_600_000);
  const cron = `0 0 ${yesterday.getUTCDate()} ${yesterday.getUTCMonth() + 1} *`;
  const freeze = [{ kind: "deny" as const, cron, duration: "96h", reason: "Stocktaking" }];
  await root.replacePolicy({ project, policy: { environments: { staging: { freeze } } } });
  const { page, go, faults } = await dashboard.tab();
  await go(`/projects/${project}/env/staging`);
  await page.getByText("Closed for promotions").waitFor();
  await page
    .getByText(/Stocktaking/)
    .first()
    .waitFor();
  await page.getByText(/A rollback is possible at any time/).waitFor();
  expect(faults).toEqual([]);
});
