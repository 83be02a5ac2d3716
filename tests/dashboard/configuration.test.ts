import { expect, test } from "vitest";
import { eventually, settled, useDashboard } from "./support.ts";

const dashboard = useDashboard();
const base = () => `/projects/${dashboard.scene.project}`;

test("a value is edited in place, and who set it is told", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/config`);
  await page.getByRole("button", { name: "change API_URL in staging" }).click();
  await page
    .getByRole("dialog")
    .getByText(/root created the environment/)
    .waitFor();
  await page.getByLabel("Value").fill("https://new.example.com");
  await page.getByRole("button", { name: "Save API_URL" }).click();
  await page.getByRole("status").getByText("API_URL was saved in staging.").waitFor();
  expect((await root.getConfig({ project, env: "staging" })).vars).toMatchObject({ API_URL: "https://new.example.com" });
  await page.getByRole("button", { name: /new\.example\.com.*by root, just now.*change API_URL in staging/ }).click();
  await page
    .getByRole("dialog")
    .getByText(/root changed the configuration/)
    .waitFor();
  expect(faults).toEqual([]);
});

test("a value that somebody else saves while one changes it is not written over unseen", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/config`);
  for (const [kind, key, field, theirs] of [
    ["vars", "LOG_LEVEL", "Value", "theirs"],
    ["flags", "dark-mode", "For everybody else", false],
  ] as const) {
    await page.getByRole("button", { name: `change ${key} in staging` }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(field).waitFor();
    await root.patchConfig({ project, env: "staging", [kind]: { [key]: theirs } });
    await dialog.getByText("Somebody else changed it meanwhile").waitFor();
    await dialog.getByRole("button", { name: "Show what is there now" }).click();
    await eventually(() => dialog.getByLabel(field).inputValue()).toBe(kind === "vars" ? "theirs" : "off");
    expect(await dialog.getByText("Somebody else changed it meanwhile").count()).toBe(0);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  }
  expect(faults).toEqual([]);
});

test("a value that somebody saves in the moment in which one saves another is kept, shown, and written over by who means it alone", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  const staging = () => root.getConfig({ project, env: "staging" });
  /** Lets somebody else's change go before the next one that the page sends: the page cannot know of it. */
  let theirNext: object | null = null;
  await page.route(
    (url) => url.pathname.endsWith("/config"),
    async (route) => {
      const theirs = route.request().method() === "PATCH" ? theirNext : null;
      if (theirs !== null) {
        theirNext = null;
        await root.patchConfig({ project, env: "staging", ...theirs });
      }
      await route.continue();
    },
  );
  const before = (theirs: object) => {
    theirNext = theirs;
  };
  await root.patchConfig({ project, env: "staging", vars: { LOG_LEVEL: "info" } });
  await go(`${base()}/config`);
  await page.getByRole("button", { name: /info.*change LOG_LEVEL in staging/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Value").fill("mine");
  before({ vars: { LOG_LEVEL: "theirs" } });
  await dialog.getByRole("button", { name: "Save LOG_LEVEL", exact: true }).click();
  await dialog.getByRole("alert").getByText("Nothing was saved. What you save now takes the place of theirs.").waitFor();
  await dialog.getByRole("alert").getByText("theirs", { exact: true }).waitFor();
  expect((await staging()).vars.LOG_LEVEL).toBe("theirs");

  // What is typed stays, and yet another value is not what was shown either.
  expect(await dialog.getByLabel("Value").inputValue()).toBe("mine");
  before({ vars: { LOG_LEVEL: "theirs again" } });
  await dialog.getByRole("button", { name: "Save LOG_LEVEL anyway" }).click();
  await dialog.getByRole("alert").getByText("theirs again", { exact: true }).waitFor();
  expect((await staging()).vars.LOG_LEVEL).toBe("theirs again");
  await dialog.getByRole("button", { name: "Remove LOG_LEVEL anyway", includeHidden: true }).waitFor({ state: "attached" });
  await dialog.getByRole("button", { name: "Save LOG_LEVEL anyway" }).click();
  await page.getByRole("status").getByText("LOG_LEVEL was saved in staging.").waitFor();
  expect((await staging()).vars.LOG_LEVEL).toBe("mine");

  // What others change besides is in nobody's way.
  await page.getByRole("button", { name: /mine.*change LOG_LEVEL in staging/ }).click();
  await dialog.getByLabel("Value").fill("info");
  before({ vars: { SOMETHING_ELSE: "theirs" } });
  await dialog.getByRole("button", { name: "Save LOG_LEVEL", exact: true }).click();
  await eventually(async () => (await staging()).vars).toMatchObject({ LOG_LEVEL: "info", SOMETHING_ELSE: "theirs" });
  await dialog.waitFor({ state: "detached" });
  await root.patchConfig({ project, env: "staging", unset: ["vars/SOMETHING_ELSE"] });

  // A password is not shown, and yet not written over unseen either; what others set besides it is in nobody's way.
  const reveal = async () => (await root.revealSecrets({ project, env: "staging", names: ["SHARED_KEY"] })).secrets;
  await root.patchConfig({ project, env: "staging", secrets: { SHARED_KEY: "the first of the test" } });
  await page.getByRole("button", { name: /change SHARED_KEY in staging/ }).click();
  await dialog.getByLabel("New value").fill("mine of the test");
  before({ secrets: { SHARED_KEY: "theirs of the test" } });
  await dialog.getByRole("button", { name: "Save SHARED_KEY", exact: true }).click();
  await dialog.getByRole("alert").getByText("Another password is there now.").waitFor();
  expect(await reveal()).toEqual({ SHARED_KEY: "theirs of the test" });
  before({ secrets: { ANOTHER_KEY: "of the test" } });
  await dialog.getByRole("button", { name: "Save SHARED_KEY anyway" }).click();
  await eventually(reveal).toEqual({ SHARED_KEY: "mine of the test" });
  await dialog.waitFor({ state: "detached" });
  await root.patchConfig({ project, env: "staging", unset: ["secrets/SHARED_KEY", "secrets/ANOTHER_KEY"] });
  expect(faults.filter((fault) => !fault.includes("412"))).toEqual([]);
});

test("a key whose name every object knows is set where it is set, and nowhere else", async () => {
  const { root, project } = dashboard.scene;
  await root.patchConfig({ project, env: "development", vars: { toString: "made by hand" } });
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/config`);
  await page.getByRole("button", { name: /^not set.*change toString in staging/ }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.getByLabel("Value").inputValue()).toBe("");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("button", { name: /made by hand.*change toString in development/ }).waitFor();
  await root.patchConfig({ project, env: "development", unset: ["vars/toString"] });
  expect(faults).toEqual([]);
});

test("a flag says for one person what it is and why, before it is saved; what is wrong with it is said as one types", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/config`);
  await page.getByRole("button", { name: "change new-checkout in development" }).click();
  await page.getByText("What is it for one person, and why?").click();
  await page.getByLabel("Who asks").fill('{"targetingKey":"ada","email":"ada@example.com"}');
  await page.getByText("true (“on”), since a rule says so.").waitFor();
  await page.getByLabel("Who asks").fill('{"targetingKey":"eve","email":"eve@example.org"}');
  await page.getByText("false (“off”), since no rule says otherwise.").waitFor();

  await page.getByLabel("Rules (may be left out)").fill('{"if": [{"ends_with": ');
  await page.getByText("The rules are no JSON that can be kept").waitFor();
  await eventually(() => page.getByRole("button", { name: "Save new-checkout" }).isDisabled()).toBe(true);
  await page.getByLabel("Rules (may be left out)").fill('{"fractional": [["on", 10], ["off", 90]]}');
  await page.getByRole("button", { name: "Save new-checkout" }).click();
  await page.getByRole("status").getByText("new-checkout was saved in development.").waitFor();
  const { flags } = await root.getConfig({ project, env: "development" });
  expect(flags["new-checkout"]).toMatchObject({
    targeting: {
      fractional: [
        ["on", 10],
        ["off", 90],
      ],
    },
    defaultVariant: "off",
  });
  expect(faults).toEqual([]);
});

test("a .env file is planned before it is saved: what is new, what changes, what becomes a password", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/config`);
  await page.getByRole("button", { name: "Paste a .env file …" }).click();
  await page.getByLabel("Into").selectOption("development");
  await page.getByLabel("The file").fill("LOG_LEVEL=debug\nNOT AN ASSIGNMENT\n");
  await page.getByText(/^Line 2: this is no assignment/).waitFor();
  await page
    .getByLabel("The file")
    .fill("LOG_LEVEL=debug # the same\nexport API_URL='https://x.example.com'\nMAIL_PASSWORD=hunter2-of-the-test\n");
  await page.getByRole("button", { name: "Show what it does" }).click();
  await page.getByText("In development: 1 key new, 1 changed, 1 the same.").waitFor();
  await page.getByText("a password, kept in the vault").waitFor();
  await page.getByRole("button", { name: "Save into development" }).click();
  await page
    .getByRole("status")
    .getByText(/^development is v/)
    .waitFor();
  const { vars, secrets } = await root.getConfig({ project, env: "development" });
  expect(vars).toMatchObject({ API_URL: "https://x.example.com", LOG_LEVEL: "debug" });
  expect(secrets).toHaveProperty("MAIL_PASSWORD");
  expect(faults).toEqual([]);
});

test("what is selected in a comparison is what travels", async () => {
  const { root, project } = dashboard.scene;
  await root.patchState({
    project,
    env: "development",
    set: { "pages/chosen": { a: 1 }, "pages/left-out": { a: 1 } },
    remove: ["requires/PAYMENT_KEY"],
  });
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/compare?left=development&right=staging`);
  await page.getByLabel("Select pages/chosen").check();
  await page.getByRole("link", { name: "Promote 1 selected to staging …" }).click();
  await page.getByText("Only 1 component travels").waitFor();
  await page.getByRole("button", { name: /^Promote v.* to staging$/ }).click();
  await page
    .getByRole("status")
    .getByText(/was promoted to staging/)
    .waitFor();
  const { state } = await root.getState({ project, env: "staging" });
  expect(Object.keys(state.pages ?? {})).toContain("chosen");
  expect(Object.keys(state.pages ?? {})).not.toContain("left-out");
  expect(faults).toEqual([]);
});

test("a comparison tells what both sides changed, and what the other side lacks", async () => {
  const { root, project } = dashboard.scene;
  for (const [env, label] of [
    ["development", "As development has it"],
    ["staging", "As staging has it"],
  ] as const)
    await root.patchState({ project, env, set: { "themes/default": { label } } });
  await root.patchState({ project, env: "development", set: { "requires/TAX_ID": { kind: "var", description: "For invoices" } } });
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/compare?left=development&right=staging`);
  await page.getByText(/^1 component was changed on both sides/).waitFor();
  await page.getByText(/^themes\/default\. A promotion asks/).waitFor();
  await page.getByText("staging lacks 1 value that the version of development needs").waitFor();
  expect(faults).toEqual([]);
});

test("passwords of which nobody is told whether they are the same are not said to be so", async () => {
  const { root, project } = dashboard.scene;
  const { token } = await root.createToken({ name: "Reader", role: "reader", projects: [project] });
  const { secrets } = await root.compare({ project_id: project, left: "staging", right: "production" });
  const { page, go, faults } = await dashboard.tab({}, token);
  await go(`${base()}/compare?left=staging&right=production`);
  await page.getByRole("link", { name: `Passwords: ${secrets.different.length} not told` }).click();
  await page.getByText(/^Both sides have these; whether they are equal is not told to you: DOCUMENTS_DSN, /).waitFor();
  expect(faults).toEqual([]);
});

test("both sides of a comparison keep their moments when they are swapped, and what is promoted is the version that is shown", async () => {
  const { root, project } = dashboard.scene;
  const { version } = await root.patchState({ project, env: "development", set: { "pages/moment": { a: 1 } } });
  await root.patchState({ project, env: "development", set: { "pages/moment": { a: 2 } } });
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/compare?left=development@${version}&right=staging`);
  await page.getByRole("link", { name: "Swap sides" }).click();
  await eventually(() => new URL(page.url()).search).toBe(`?left=staging&right=development%40${version}`);
  await page.getByRole("link", { name: "Swap sides" }).click();
  await page.getByRole("link", { name: `Promote ${version} from development to staging …` }).click();
  await page.getByText(`${version}, not the newest`).waitFor();
  expect(faults).toEqual([]);
});

test("a preview has a configuration and a platform, and is promoted from, though it stands in no list of environments", async () => {
  const { root, project } = dashboard.scene;
  const env = "try-out";
  await root.createEnvironment({ project_id: project, new_environment: env, base_from: "development", type: "preview", secrets: "empty" });
  await root.patchState({ project, env, set: { "pages/tried": { a: 1 } } });
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/env/${env}`);
  await page.getByRole("link", { name: "Configuration", exact: true }).last().click();
  await page.getByRole("button", { name: `change API_URL in ${env}` }).waitFor();
  expect(await page.getByRole("button", { name: "change API_URL in staging" }).count()).toBe(0);

  await go(`${base()}/env/${env}`);
  await page.getByRole("link", { name: "Platform", exact: true }).last().click();
  await page.getByLabel("Find a component").fill("tried");
  await page.getByRole("button", { name: "tried" }).waitFor();

  await go(`${base()}/env/${env}`);
  await page.getByRole("link", { name: "Promote …" }).click();
  await page.getByLabel("To", { exact: true }).selectOption("development");
  await page.getByText("1 page new: tried").waitFor();
  expect(await page.getByText("that takes part").count()).toBe(0);
  expect(faults).toEqual([]);
});

test("a flag by a rule that flags share is told for one person; a new value may be empty", async () => {
  const { root, project } = dashboard.scene;
  const shared = {
    state: "ENABLED",
    variants: { on: true, off: false },
    defaultVariant: "off",
    targeting: { if: [{ $ref: "staff" }, "on"] },
  };
  await root.patchConfig({
    project,
    env: "staging",
    evaluators: { staff: { ends_with: [{ var: "email" }, "@example.com"] } },
    flags: { tools: shared },
  });
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/config?env=staging`);
  await page.getByRole("button", { name: "change tools in staging" }).click();
  await page.getByText("What is it for one person, and why?").click();
  await page.getByLabel("Who asks").fill('{"email":"ada@example.com"}');
  await page.getByText("true (“on”), since a rule says so.").waitFor();
  await page.keyboard.press("Escape");

  await page.getByRole("button", { name: "New key …" }).click();
  await page.getByLabel("Name").fill("SUFFIX");
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("button", { name: "Save SUFFIX" }).click();
  await page.getByRole("status").getByText("SUFFIX was saved in staging.").waitFor();
  expect((await root.getConfig({ project, env: "staging" })).vars.SUFFIX).toBe("");
  expect(faults).toEqual([]);
});

test("a policy is changed by its form, and a token and a webhook are made; their secrets are shown once", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/settings`);
  await page.getByRole("group", { name: "staging" }).getByLabel("Asks why").check();
  await page.getByRole("button", { name: "Save the policy" }).click();
  await page.getByRole("status").getByText("The policy was saved.").waitFor();
  expect((await root.getPolicy({ project })).policy).toMatchObject({
    environments: { staging: { require_message: true }, production: { approvals: 1 } },
  });

  await page.getByRole("button", { name: "New webhook …" }).click();
  await page.getByLabel("Address").fill("https://hooks.example.com/x");
  await page.getByRole("button", { name: "Create webhook" }).click();
  await page.getByText("Shown this once").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("cell", { name: "https://hooks.example.com/x", exact: true }).waitFor();

  await go("/settings");
  await page.getByRole("button", { name: "New token …" }).click();
  await page.getByLabel("Whose").fill("ci");
  await page.getByRole("button", { name: "Create token" }).click();
  await page.getByText(/^envm_[0-9a-f]{16}_/).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("cell", { name: "ci", exact: true }).waitFor();
  expect(await page.content()).not.toMatch(/envm_[0-9a-f]{16}_/);
  expect(faults).toEqual([]);
});

test("where more happened than the charts count, they say so", async () => {
  const { root, project } = dashboard.scene;
  const { page, go } = await dashboard.tab();
  await go(`${base()}/history`);
  await page.getByRole("heading", { name: "The last two weeks" }).waitFor();
  expect(await page.getByText(/: there were more\.$/).count()).toBe(0);
  for (let count = 0; count < 101; count += 1) await root.patchConfig({ project, env: "development", vars: { COUNT: String(count) } });
  await page.getByText(/^Counted are the newest 100 changes of each environment and .*: there were more\.$/).waitFor();
});

test("the audit log is verified, and exported whole with what it is signed by", async () => {
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/history`);
  await page.getByRole("button", { name: "Verify the log" }).click();
  await page.getByText(/^All \d+ records are as they were written$/).waitFor();
  const names: string[] = [];
  const both = new Promise<void>((resolve) => {
    page.on("download", (download) => {
      names.push(download.suggestedFilename());
      if (names.length === 2) resolve();
    });
  });
  await page.getByRole("button", { name: "Export the log" }).click();
  await both;
  expect(names.sort()).toEqual([`${dashboard.scene.project}-audit.jws`, `${dashboard.scene.project}-audit.ndjson`]);
  expect(faults).toEqual([]);
});

test("the first page takes at most 200 KB of packed JavaScript", async () => {
  const { page } = await dashboard.browser.open();
  const scripts: Record<string, string>[] = [];
  page.on("response", (response) => {
    if (response.url().endsWith(".js")) scripts.push(response.headers());
  });
  await page.goto(dashboard.engine.url, { waitUntil: "networkidle" });
  // The network is idle too while a slow machine still works on what came.
  await settled(page);
  await page.close();
  const bytes = scripts.reduce((sum, headers) => sum + Number(headers["content-length"]), 0);
  expect(new Set(scripts.map((headers) => headers["content-encoding"]))).toEqual(new Set(["gzip"]));
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThanOrEqual(200 * 1024);
});
