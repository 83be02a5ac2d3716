import { expect, test } from "vitest";
import { setScene } from "./scene.ts";
import { eventually, ROOT, settled, useDashboard } from "./support.ts";

const dashboard = useDashboard();
const base = () => `/projects/${dashboard.scene.project}`;

test("an environment is put on hold for a reason and resumed on its own page, and the title has the focus when the button is gone", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/env/staging`);
  await page.getByRole("button", { name: "Hold …" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Why").fill("Stocktaking until noon");
  await dialog.getByRole("button", { name: "Put staging on hold" }).click();
  await page.getByRole("status").getByText("staging is on hold.").waitFor();
  await page.getByText("“Stocktaking until noon”").waitFor();
  expect((await root.getEnvironment({ project, env: "staging" })).hold).toMatchObject({ by: "root", reason: "Stocktaking until noon" });
  await eventually(() => page.getByRole("button", { name: "Hold …" }).count()).toBe(0);

  await page.getByRole("button", { name: "Resume" }).press("Enter");
  await page.getByRole("status").getByText("staging takes automatic promotions again.").waitFor();
  expect((await root.getEnvironment({ project, env: "staging" })).hold).toBeNull();
  await page.getByRole("button", { name: "Hold …" }).waitFor();
  await eventually(() => page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
  expect(faults).toEqual([]);
});

test("an environment is made here, and its page says what it has still to be given", async () => {
  const { root, project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go(base());
  await page.getByText("2 previews: demo-fair and pr-142.", { exact: true }).waitFor();
  await page.getByRole("button", { name: "New environment …" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("qa");
  await dialog.getByLabel("What it is for").selectOption("staging");
  await dialog.getByLabel("Begins as").selectOption("staging");
  await dialog.getByLabel(/^Its passwords too/).uncheck();
  await dialog.getByRole("button", { name: "Create environment" }).click();
  await page
    .getByRole("status")
    .getByText(/^qa is there\. It is for trying things out\. It has no DOCUMENTS_DSN, /)
    .waitFor();
  await page.getByRole("heading", { level: 1, name: "qa" }).waitFor();
  await page.getByText("Something that it needs is not set").waitFor();
  const [qa, staging] = await Promise.all(["qa", "staging"].map((env) => root.getEnvironment({ project, env })));
  expect(qa).toMatchObject({ type: "staging", base_from: "staging", version: staging?.version });
  expect((await root.getConfig({ project, env: "qa" })).secrets).toEqual({});
  // It stands on the pipeline; that its name is taken is said where somebody types it again.
  await go(base());
  await page.getByRole("article", { name: "qa" }).waitFor();
  await page.getByRole("button", { name: "New environment …" }).click();
  await dialog.getByLabel("Name").fill("qa");
  await dialog.getByRole("button", { name: "Create environment" }).click();
  await dialog.getByText("Could not create it").waitFor();
  expect(faults.filter((fault) => !fault.includes("409"))).toEqual([]);
});

test("the pipeline and the page of a promotion tell what waits already, and lead to it", async () => {
  const { project, promotion, root } = await setScene(dashboard.engine.url, ROOT, { project: "portal-that-waits" });
  const { version } = await root.getPromotion({ project, id: promotion });
  const { page, go, faults } = await dashboard.tab();
  const step = page.getByRole("listitem").filter({ has: page.getByRole("article", { name: "staging" }) });
  await go(`/projects/${project}`);
  await step.getByText(`${version}, which root asked for`).waitFor();
  await step.getByText("waits for 1 approval.").waitFor();
  await step.getByRole("link", { name: "See what waits" }).click();
  await page.getByRole("heading", { level: 1, name: `${version} to production` }).waitFor();
  expect(new URL(page.url()).pathname).toBe(`/projects/${project}/promotions/${promotion}`);

  await go(`/projects/${project}/promote?from=staging&to=production`);
  await page.getByText("A promotion to production waits already").waitFor();
  expect(await page.getByRole("link", { name: version, exact: true }).getAttribute("href")).toBe(
    `/projects/${project}/promotions/${promotion}`,
  );

  // With another beside it, all of them are led to.
  await root.promote({ project_id: project, source_env: "staging", target_env: "production", message: "Again", confirm: "production" });
  await go(`/projects/${project}`);
  await step.getByText("And 1 more.").waitFor();
  await step.getByRole("link", { name: "See what waits" }).click();
  await page.getByRole("heading", { level: 1, name: "Approvals" }).waitFor();
  expect(new URL(page.url()).search).toBe("?status=pending");
  expect(faults).toEqual([]);
});

test("what is archived is named before, found again on the pipeline, and brought back", async () => {
  const { root, project } = dashboard.scene;
  await root.createEnvironment({ project_id: project, new_environment: "live-eu", base_from: "staging", type: "production" });
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/env/live-eu`);
  await page.getByRole("button", { name: "Archive live-eu …" }).click();
  const dialog = page.getByRole("dialog");
  const archive = dialog.getByRole("button", { name: "Archive live-eu", exact: true });
  await dialog.getByLabel("Why").fill("Europe is served by production");
  await eventually(() => archive.isDisabled()).toBe(true);
  await dialog.getByLabel("Type live-eu to confirm").fill("live-eu");
  await archive.click();
  await page.getByRole("status").getByText("live-eu was archived.").waitFor();
  await page.getByText(/^Put away just now by root\./).waitFor();
  expect(await page.getByRole("button", { name: "Hold …" }).count()).toBe(0);
  expect(await page.getByRole("button", { name: "Archive live-eu …" }).count()).toBe(0);

  await go(base());
  expect(await page.getByRole("article", { name: "live-eu" }).count()).toBe(0);
  await page.getByRole("region", { name: "Archived" }).getByRole("link", { name: "live-eu" }).click();
  await page.getByRole("button", { name: "Bring it back …" }).click();
  await dialog.getByLabel("Why").fill("It is needed after all");
  await dialog.getByRole("button", { name: "Bring live-eu back" }).click();
  await page.getByRole("status").getByText("live-eu is back.").waitFor();
  expect((await root.getEnvironment({ project, env: "live-eu" })).status).toBe("active");
  expect(faults).toEqual([]);
});

test("a project begins here, with its first environment", async () => {
  const { root } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  await go("/");
  await page.getByRole("button", { name: "New project …" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Project").fill("shop");
  await dialog.getByLabel("Its first environment").fill("development");
  await dialog.getByRole("button", { name: "Create project" }).click();
  await page.getByRole("status").getByText("development is there. It is for development.").waitFor();
  await page.getByRole("heading", { level: 1, name: "development" }).waitFor();
  expect(await root.getEnvironment({ project: "shop", env: "development" })).toMatchObject({ type: "development", status: "active" });
  expect(faults).toEqual([]);
});

test("what a token may not do is not offered to whoever has it: nothing to a reader, nothing protected to an editor", async () => {
  const { root, project, promotion } = dashboard.scene;
  const offeredTo = async (role: "reader" | "editor") => {
    const { token } = await root.createToken({ name: role, role, projects: [project] });
    const { page, go } = await dashboard.tab({}, token);
    return async (path: string) => {
      await go(path);
      const main = page.getByRole("main");
      return [...(await main.getByRole("button").allTextContents()), ...(await main.getByRole("link").allTextContents())];
    };
  };
  const acts = (all: readonly string[]) =>
    all.filter((each) => /^(Promote|Roll back|Hold|Resume|Archive|New|Extend|Approve|Turn)/.test(each));
  const offeredToReader = await offeredTo("reader");
  for (const path of [
    base(),
    `${base()}/env/production`,
    `${base()}/env/staging`,
    `${base()}/promotions/${promotion}`,
    `${base()}/previews`,
    "/",
  ])
    expect(acts(await offeredToReader(path)), path).toEqual([]);
  for (const path of [`${base()}/config`, `${base()}/settings`, "/settings", `${base()}/history`])
    expect(
      (await offeredToReader(path)).filter((each) => /^(New |Paste|Take|Save|Revoke|restore)/.test(each)),
      path,
    ).toEqual([]);
  const offeredToEditor = await offeredTo("editor");
  expect(acts(await offeredToEditor(`${base()}/env/production`))).toEqual([]);
  expect(acts(await offeredToEditor(`${base()}/env/staging`))).toEqual(["Hold …", "Archive staging …", "Roll back …"]);
  expect(acts(await offeredToEditor(`${base()}/promotions/${promotion}`))).toEqual([]);
});

test("who has approved is told so, and is not asked again; whoever asked may withdraw it", async () => {
  const { root, project, grace } = dashboard.scene;
  const { policy } = await root.getPolicy({ project });
  const rules = policy.environments as Readonly<Record<string, object>>;
  await root.replacePolicy({
    project,
    policy: { ...policy, environments: { ...rules, production: { ...rules.production, approvals: 2 } } },
  });
  const asked = await root.promote({
    project_id: project,
    source_env: "staging",
    target_env: "production",
    message: "By two",
    confirm: "production",
  });
  const address = `${base()}/promotions/${asked.promotion_id}`;
  const other = await dashboard.tab({}, grace);
  await other.go(address);
  await other.page.getByRole("button", { name: /^Approve/ }).click();
  await other.page
    .getByRole("status")
    .getByText(/It still waits\.$/)
    .waitFor();
  await other.page.getByText("You approved this").waitFor();
  await other.page.getByText("Waits for anybody but root and Grace; the last approval applies it.").waitFor();
  await eventually(() => other.page.getByRole("button", { name: /^Approve/ }).count()).toBe(0);
  await other.page.reload();
  await settled(other.page);
  await other.page.getByText("You approved this").waitFor();
  expect(await other.page.getByRole("button", { name: /^Approve/ }).count()).toBe(0);

  const own = await dashboard.tab();
  await own.go(address);
  await own.page.getByText("You asked for this").waitFor();
  await own.page.getByRole("button", { name: "Withdraw" }).click();
  await own.page.getByText(/^Withdrawn by root/).waitFor();
  expect(await root.getPromotion({ project, id: asked.promotion_id ?? "" })).toMatchObject({ status: "rejected" });
  await root.replacePolicy({ project, policy });
});

test("whom the policy does not name among those who approve is told who decides, and is not asked", async () => {
  const { root, project, grace } = dashboard.scene;
  const { policy } = await root.getPolicy({ project });
  const rules = policy.environments as Readonly<Record<string, object>>;
  await root.replacePolicy({
    project,
    policy: { ...policy, environments: { ...rules, production: { ...rules.production, approvals: { count: 1, by: ["Ada"] } } } },
  });
  const asked = await root.promote({
    project_id: project,
    source_env: "staging",
    target_env: "production",
    message: "By Ada",
    confirm: "production",
  });
  const { page, go } = await dashboard.tab({}, grace);
  await go(`${base()}/promotions/${asked.promotion_id}`);
  await page.getByText("By the policy, others approve this").waitFor();
  expect(await page.getByRole("button", { name: /^Approve/ }).count()).toBe(0);
  await root.replacePolicy({ project, policy });
});

test("a check that the policy lets an administrator skip is skipped by one, for a reason; nobody else is offered to", async () => {
  const { root, project, grace } = dashboard.scene;
  const address = `${base()}/promote?from=staging&to=production`;
  const other = await dashboard.tab({}, grace);
  await other.go(address);
  await other.page.getByText("Cleared by: Somebody else, who may approve here; or an administrator, who skips it with a reason.").waitFor();
  await other.page.getByRole("button", { name: /^Ask to promote/ }).waitFor();
  expect(await other.page.getByRole("group", { name: /^What you may skip/ }).count()).toBe(0);

  const { page, go, faults } = await dashboard.tab();
  await go(address);
  await page.getByLabel("Without: Somebody else’s word").check();
  const promote = page.getByRole("button", { name: /^Promote v.* to production all the same$/ });
  await page.getByLabel("Type production to confirm").fill("production");
  await eventually(() => promote.isDisabled()).toBe(true);
  await page.getByLabel("Why", { exact: true }).fill("Customers cannot pay");
  await promote.click();
  await page
    .getByRole("status")
    .getByText(/was promoted to production/)
    .waitFor();
  const [record] = (await root.listAudit({ project, action: "promote", env: "production", limit: 1 })).items;
  expect(record?.details.forced).toEqual([{ name: "approvals", reason: expect.stringContaining("Customers cannot pay") }]);

  // What cannot be skipped is not offered to anybody.
  await root.patchState({ project, env: "development", set: { "requires/TAX_ID": { kind: "var", description: "For invoices" } } });
  await go(`${base()}/promote?from=development&to=staging`);
  await page.getByText("First settle what is in the way, above.").waitFor();
  expect(await page.getByRole("group", { name: /^What you may skip/ }).count()).toBe(0);
  expect(faults).toEqual([]);
});

test("a preview is extended where its end is told", async () => {
  const { root, project } = dashboard.scene;
  const { expires_at: before } = await root.getEnvironment({ project, env: "pr-142" });
  const { page, go, faults } = await dashboard.tab();
  await go(`${base()}/env/pr-142`);
  await page.getByRole("button", { name: "Extend pr-142 …" }).click();
  await page.getByLabel("Lives for").selectOption("14d");
  await page.getByRole("dialog").getByRole("button", { name: "Extend pr-142" }).click();
  await page
    .getByRole("status")
    .getByText(/^pr-142 goes on until/)
    .waitFor();
  const { expires_at: after } = await root.getEnvironment({ project, env: "pr-142" });
  expect(Date.parse(after ?? "")).toBeGreaterThan(Date.parse(before ?? ""));
  expect(faults).toEqual([]);
});

test("whoever may not change a value sees it, and that it is not theirs to change", async () => {
  const { root, project } = dashboard.scene;
  const { token } = await root.createToken({ name: "Mary", role: "reader", projects: [project] });
  const { page, go, faults } = await dashboard.tab({}, token);
  await go(`${base()}/config`);
  await page.getByRole("button", { name: "change API_URL in staging" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("You may look at this, but not change it").waitFor();
  await dialog.getByLabel("Value").fill("https://elsewhere.example.com");
  expect(await dialog.getByRole("button", { name: "Save API_URL" }).isDisabled()).toBe(true);
  expect(await dialog.getByText("Remove it from staging").count()).toBe(0);
  await go(`${base()}/state?env=staging`);
  await page.getByRole("button", { name: "Download" }).waitFor();
  expect(await page.getByLabel("Upload …").count()).toBe(0);
  await go(`${base()}/settings`);
  await page.getByText("You may look at this, but not change it").waitFor();
  expect(await page.getByRole("alert").count()).toBe(0);
  expect(faults).toEqual([]);
});
