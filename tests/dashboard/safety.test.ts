import { expect, test } from "vitest";
import { pagesOf } from "./scene.ts";
import { ROOT, settled, useDashboard } from "./support.ts";

const dashboard = useDashboard();
const SCRIPT = '<img src=x onerror="document.title=`owned`">';
const SENTINEL = "sentinel-of-a-secret-8f3a1c";

test("markup in names, messages, values and reasons is text everywhere", async () => {
  const { root, project } = dashboard.scene;
  await root.patchState({ project, env: "staging", set: { [`entities/${SCRIPT}`]: { label: SCRIPT } }, message: SCRIPT });
  await root.patchConfig({ project, env: "staging", vars: { MARKUP: SCRIPT }, message: SCRIPT });
  await root.holdEnvironment({ project_id: project, env: "staging", reason: SCRIPT });
  await root.promote({ project_id: project, source_env: "staging", target_env: "production", message: SCRIPT, confirm: "production" });
  const { page, go, faults } = await dashboard.tab();
  const base = `/projects/${project}`;
  const more = {
    environment: `${base}/env/staging`,
    history: `${base}/history?env=staging`,
    audit: `${base}/history?env=staging&view=audit`,
    component: `${base}/state?${new URLSearchParams({ env: "staging", component: `entities/${SCRIPT}` })}`,
    search: `${base}/previews?search=${encodeURIComponent(SCRIPT)}`,
  };
  for (const [name, path] of Object.entries({ ...pagesOf(dashboard.scene), ...more })) {
    await go(path);
    expect(await page.locator('img[src="x"]').count(), name).toBe(0);
    expect(await page.title(), name).not.toContain("owned");
  }
  await go(more.environment);
  await page.getByText(SCRIPT).first().waitFor();
  expect(faults).toEqual([]);
});

test("a secret's value is in no page, no storage and no reply, though it is set here; nor is the token", async () => {
  const { project } = dashboard.scene;
  const { page, go, faults } = await dashboard.tab();
  const replies: Promise<string>[] = [];
  page.on("response", (response) => {
    const type = response.headers()["content-type"] ?? "";
    if (type.includes("json")) replies.push(response.text().catch(() => ""));
  });
  await go(`/projects/${project}/config`);
  await page.getByRole("button", { name: "change STRIPE_SECRET_KEY in staging" }).click();
  await page.getByLabel("New value").fill(SENTINEL);
  await page.getByRole("button", { name: "Save STRIPE_SECRET_KEY" }).click();
  await page.getByRole("status").getByText("STRIPE_SECRET_KEY was saved in staging.").waitFor();
  for (const path of Object.values(pagesOf(dashboard.scene))) {
    await go(path);
    const kept = await page.evaluate(
      () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]) + document.documentElement.outerHTML,
    );
    for (const secret of [SENTINEL, ROOT]) expect(kept, path).not.toContain(secret);
  }
  await settled(page);
  expect(replies.length).toBeGreaterThan(20);
  const texts = await Promise.all(replies);
  for (const secret of [SENTINEL, ROOT]) expect(texts.filter((text) => text.includes(secret))).toEqual([]);
  expect(faults).toEqual([]);
});

test("no page breaks the content security policy, which lets nothing in but the engine's own files", async () => {
  const { page, go, faults } = await dashboard.tab();
  const reply = await page.goto(dashboard.engine.url);
  const policy = reply?.headers()["content-security-policy"] ?? "";
  expect(policy).toContain("default-src 'self'");
  expect(policy).not.toContain("unsafe");
  for (const path of Object.values(pagesOf(dashboard.scene))) await go(path);
  // Chromium tells of each breach on the console.
  expect(faults).toEqual([]);
});

test("what a token may not do is refused here too, in words, and changes nothing", async () => {
  const { root, project } = dashboard.scene;
  const { token } = await root.createToken({ name: "Reader", role: "reader", projects: [project] });
  const before = await root.getEnvironment({ project, env: "staging" });
  const { page, go } = await dashboard.tab({}, token);
  // What the page takes somebody for is no matter: that is the engine's to say.
  await page.route(/\/session$/, async (route) => {
    const reply = await route.fetch();
    const grants = [{ role: "admin", projects: ["*"], envs: ["*"], rights: [] }];
    await route.fulfill({ response: reply, json: { ...(await reply.json()), grants } });
  });
  await go(`/projects/${project}/config`);
  await page.getByRole("button", { name: "change API_URL in staging" }).click();
  await page.getByLabel("Value").fill("https://elsewhere.example.com");
  await page.getByRole("button", { name: "Save API_URL" }).click();
  await page.getByRole("alert").getByText("Could not save it").waitFor();
  await page.getByRole("alert").getByText("Nothing was changed.").waitFor();
  expect(await root.getEnvironment({ project, env: "staging" })).toEqual(before);
});
