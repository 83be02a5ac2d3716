// Pictures of every page of the dashboard, light and dark, wide and narrow, into docs/screenshots/.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { packageRoot } from "../src/package.ts";
import { logIn, openBrowser } from "../tests/dashboard/browser.ts";
import { pagesOf, setScene } from "../tests/dashboard/scene.ts";
import { Engine } from "../tests/support/engine.ts";
import { engineArguments } from "./demo/package.ts";

const ROOT = "root-token-of-the-screenshots";
const DAY_MS = 24 * 3_600_000;
const LOOKS = [
  { name: "light-wide", width: 1280, height: 900, colorScheme: "light" },
  { name: "dark-wide", width: 1280, height: 900, colorScheme: "dark" },
  { name: "light-narrow", width: 390, height: 844, colorScheme: "light" },
  { name: "dark-narrow", width: 390, height: 844, colorScheme: "dark" },
] as const;

const folder = join(packageRoot(), "docs/screenshots");
mkdirSync(folder, { recursive: true });

// The engine lives through the weeks before today: it is started again with a clock that is less and less behind.
const scratch = mkdtempSync(join(tmpdir(), "env-manager-screenshots-"));
const clock = join(scratch, "clock");
let behind = 18;
const setClock = (days: number) => writeFileSync(clock, String(days * DAY_MS));
setClock(behind);
const engine = await new Engine({
  token: ROOT,
  env: { SCREENSHOTS_CLOCK: clock },
  args: ["--import", join(packageRoot(), "scripts/screenshots-clock.mjs"), ...engineArguments()],
}).start();
const { port } = new URL(engine.url);
const goOn = async (days: number) => {
  behind = Math.max(0, behind - days);
  setClock(behind);
  await engine.stop();
  await engine.startOn(port);
};

const browser = await openBrowser();
try {
  const scene = await setScene(engine.url, ROOT, { later: goOn });
  await goOn(behind);
  for (const { name: look, ...size } of LOOKS) {
    const { page, faults } = await browser.open(size);
    const asked = new Set<unknown>();
    page.on("request", (request) => request.resourceType() === "fetch" && asked.add(request));
    for (const event of ["requestfinished", "requestfailed"] as const) page.on(event, (request: unknown) => asked.delete(request));
    const take = async (name: string) => {
      await page.locator("h1").waitFor();
      await painted(page, asked);
      await page.screenshot({ path: join(folder, `${name.replaceAll(" ", "-")}-${look}.png`), fullPage: true });
    };
    await page.goto(`${engine.url}/login`);
    await take("login");
    await logIn(page, engine.url, ROOT);
    for (const [name, path] of Object.entries(pagesOf(scene))) {
      // What the page before still asked for is of no interest any more.
      asked.clear();
      await page.goto(engine.url + path);
      await take(name);
    }
    await page.close();
    if (faults.length > 0) console.warn(`${look}:\n  ${[...new Set(faults)].join("\n  ")}`);
  }
  console.log(`Pictures are in ${folder}.`);
} finally {
  await browser.close();
  await engine.dispose();
  rmSync(scratch, { recursive: true, force: true });
}

/** Resolves when all that was asked for is there and shown. */
async function painted(page: Page, asked: ReadonlySet<unknown>): Promise<void> {
  do {
    await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100))));
  } while (asked.size > 0);
  await page.evaluate(() => Promise.all([...document.images].map((image) => image.decode())));
}
