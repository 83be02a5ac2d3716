import { expect, test } from "vitest";
import { createClient } from "../../src/sdk/client.ts";
import { eventually, ROOT, settled, useDashboard } from "./support.ts";

const dashboard = useDashboard({ withScene: false });
const PROJECT = "large";
const ENVIRONMENTS = 220;
const KEYS = 2_000;
const TOGETHER = 20;

const numbered = (head: string, number: number) => `${head}${String(number).padStart(4, "0")}`;
/** As long as names may well be. */
const long = (head: string, number: number) => numbered(head, number).padEnd(120, "X");

/** Values of each kind, for as many keys as there are. */
const many = <Value>(head: string, value: (number: number) => Value) =>
  Object.fromEntries(Array.from({ length: KEYS }, (_, number) => [long(head, number), value(number)]));

test("a project of hundreds of environments and thousands of keys shows as much as can be looked at, says what it leaves out, and goes on with it by the keyboard", async () => {
  const root = createClient({ url: dashboard.engine.url, token: ROOT });
  const create = (new_environment: string, more: object = {}) => root.createEnvironment({ project_id: PROJECT, new_environment, ...more });
  await create("development");
  const at = { project: PROJECT, env: "development" };
  await root.patchConfig({ ...at, vars: many("VAR_", (number) => (number % 40 === 0 ? "v".repeat(8_000) : `value ${number}`)) });
  await root.patchConfig({ ...at, flags: many("flag-", (number) => number % 2 === 0) });
  for (let from = 0; from < ENVIRONMENTS; from += TOGETHER) {
    const names = Array.from({ length: TOGETHER }, (_, index) => numbered("env-", from + index));
    await Promise.all(names.map((env) => create(env.padEnd(60, "l"), env < "env-0003" ? { base_from: "development" } : {})));
  }
  for (const width of [1280, 390]) {
    const { page, go, faults } = await dashboard.tab({ width });
    const count = (selector: string) => page.locator(selector).count();
    const isNarrow = () => page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
    const focused = () => page.evaluate(() => document.activeElement?.textContent ?? "");

    await go(`/projects/${PROJECT}/config`);
    const keys = "tbody th[scope=row]";
    await page.getByText(`The first 100 of ${2 * KEYS} keys are shown.`).waitFor();
    expect(await count(keys)).toBe(100);
    expect(await isNarrow(), "configuration").toBe(true);
    await page.getByRole("button", { name: "Show 100 more" }).focus();
    await page.keyboard.press("Enter");
    await page.getByText(`The first 200 of ${2 * KEYS} keys are shown.`).waitFor();
    expect(await count(keys)).toBe(200);
    expect(await focused()).toContain(long("VAR_", 100));
    await page.getByLabel("Find a key").fill("flag-1999");
    await eventually(() => count(keys)).toBe(1);

    // Each environment can be chosen, the last of them too.
    await page.getByText(/^4 of 221 environments$/).click();
    await page.getByText("121 more: search for them.").waitFor();
    const last = numbered("env-", ENVIRONMENTS - 1).padEnd(60, "l");
    await page.getByLabel("Find an environment").fill("env-0219");
    // The choice goes by way of the page's address: the box is checked a moment later.
    await page.getByRole("checkbox", { name: last }).click();
    await page.getByText(/^5 of 221 environments$/).waitFor();
    expect(await isNarrow(), "configuration with chosen environments").toBe(true);

    await go(`/projects/${PROJECT}`);
    const stages = "ol[aria-label=Pipeline] > li";
    await page.getByText(`The first 24 of ${ENVIRONMENTS + 1} environments are shown.`).waitFor();
    expect(await count(stages)).toBe(24);
    expect(await isNarrow(), "pipeline").toBe(true);
    await page.getByRole("button", { name: "Show 24 more" }).focus();
    await page.keyboard.press("Enter");
    await eventually(() => count(stages)).toBe(48);
    expect(await focused()).toBe("env-0023".padEnd(60, "l"));
    await settled(page);
    expect(faults).toEqual([]);
  }
});
