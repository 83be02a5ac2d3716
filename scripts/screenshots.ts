// Pictures of every page of the dashboard, light and dark, wide and narrow, into docs/screenshots/.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../src/settings.ts";
import { logIn, openBrowser } from "../tests/dashboard/browser.ts";
import { pagesOf, setScene } from "../tests/dashboard/scene.ts";
import { Engine } from "../tests/support/engine.ts";

const ROOT = "root-token-of-the-screenshots";
const folder = join(packageRoot(), "docs/screenshots");
mkdirSync(folder, { recursive: true });

const engine = await new Engine({ token: ROOT }).start();
const browser = await openBrowser();
try {
  const pages = pagesOf(await setScene(engine.url, ROOT));
  const looks = [
    { name: "light-wide", width: 1280, height: 900, colorScheme: "light" },
    { name: "dark-wide", width: 1280, height: 900, colorScheme: "dark" },
    { name: "light-narrow", width: 390, height: 844, colorScheme: "light" },
    { name: "dark-narrow", width: 390, height: 844, colorScheme: "dark" },
  ] as const;
  for (const { name: look, ...size } of looks) {
    const { page, faults } = await browser.open(size);
    await page.goto(`${engine.url}/login`);
    await page.screenshot({ path: join(folder, `login-${look}.png`) });
    await logIn(page, engine.url, ROOT);
    for (const [name, path] of Object.entries(pages)) {
      const file = `${name.replaceAll(" ", "-")}-${look}.png`;
      await page.goto(engine.url + path);
      await page.locator("main h1").waitFor();
      await page.locator("[aria-busy=true]").first().waitFor({ state: "detached" });
      await page.screenshot({ path: join(folder, file), fullPage: true });
    }
    await page.close();
    if (faults.length > 0) console.warn(`${look}:\n  ${[...new Set(faults)].join("\n  ")}`);
  }
  console.log(`Pictures are in ${folder}.`);
} finally {
  await browser.close();
  await engine.dispose();
}
