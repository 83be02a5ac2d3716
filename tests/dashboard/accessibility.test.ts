import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { pagesOf } from "./scene.ts";
import { eventually, settled, useDashboard } from "./support.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];
const RULES = ["target-size", "region", "heading-order", "aria-dialog-name"];
const LOOKS = [
  { width: 1280, height: 900, colorScheme: "light" },
  { width: 390, height: 844, colorScheme: "dark" },
] as const;
/** Colours are the same on every width, and places in every colour: the two looks above have seen each of them. */
const MORE_LOOKS = [
  { width: 1280, height: 900, colorScheme: "dark" },
  { width: 390, height: 844, colorScheme: "light" },
] as const;
const looks = process.env.ENV_MANAGER_TEST_LONG === undefined ? LOOKS : [...LOOKS, ...MORE_LOOKS];

const dashboard = useDashboard();

/** What axe finds, as `rule: element`. */
async function violations(page: Page): Promise<readonly string[]> {
  // Into the page as the debugger does it: the content security policy lets no script in.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  return page.evaluate(
    async ({ tags, rules }) => {
      const { axe } = window as unknown as {
        axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> };
      };
      const runOnly = { type: "tag", values: tags };
      const enabled = Object.fromEntries(rules.map((rule) => [rule, { enabled: true }]));
      const found = await axe.run({ runOnly, rules: enabled, resultTypes: ["violations"] });
      return found.violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
      );
    },
    { tags: TAGS, rules: RULES },
  );
}

/** How many pixels the page is wider than what shows it. */
const overhang = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** All that is wrong with what a page shows now. */
async function faultsOf(page: Page, what: string): Promise<readonly string[]> {
  const found = (await violations(page)).map((violation) => `${what}: ${violation}`);
  return (await overhang(page)) > 0 ? [...found, `${what}: scrolls sideways`] : found;
}

// A tab for each look: a page that changes from light to dark while it is looked at is both for a moment.
describe.each(looks)("in $colorScheme, $width px", (look) => {
  test("no page keeps anybody out, and none scrolls sideways", async () => {
    const { page, go, faults } = await dashboard.tab(look);
    const found: string[] = [];
    for (const [name, path] of Object.entries(pagesOf(dashboard.scene))) {
      await go(path);
      found.push(...(await faultsOf(page, name)));
    }
    await dashboard.browser.context.clearCookies();
    await page.goto(`${dashboard.engine.url}/login`);
    await page.getByLabel("Access token").waitFor();
    found.push(...(await faultsOf(page, "login")));
    // There is room for all of it.
    if (await page.evaluate(() => document.documentElement.scrollHeight > document.documentElement.clientHeight))
      found.push("login: scrolls");
    expect(found).toEqual([]);
    expect(faults).toEqual([]);
  });

  test("nor does any dialog, and each gives the focus back", async () => {
    const { page, go, faults } = await dashboard.tab(look);
    const base = `/projects/${dashboard.scene.project}`;
    const dialogs: readonly (readonly [path: string, ...openers: string[]])[] = [
      ["/", "New project …"],
      [base, "Go to …", "New environment …"],
      [`${base}/env/staging`, "Hold …"],
      [`${base}/env/production`, "Archive production …"],
      [`${base}/env/pr-142`, "Extend pr-142 …"],
      [
        `${base}/config`,
        "New key …",
        "Paste a .env file …",
        "change API_URL in staging",
        "change STRIPE_SECRET_KEY in staging",
        "change new-checkout in staging",
      ],
      [`${base}/previews`, "New preview …", "Extend pr-142"],
      [`${base}/settings`, "New webhook …"],
      ["/settings", "New token …", "Revoke the token of Grace"],
    ];
    const found: string[] = [];
    for (const [path, ...openers] of dialogs) {
      await go(path);
      for (const opener of openers) {
        await page.getByRole("button", { name: opener }).first().click();
        await page.getByRole("dialog").waitFor();
        await settled(page);
        found.push(...(await faultsOf(page, opener)));
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
        await eventually(() => page.evaluate(() => document.activeElement?.tagName), `${opener} has the focus again`).toBe("BUTTON");
      }
    }
    expect(found).toEqual([]);
    expect(faults).toEqual([]);
  });
});
