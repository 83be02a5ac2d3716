import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { chromiumPath, QUIET } from "../support/chromium.ts";

export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
}

/** What went wrong in a page that nobody sees: errors, refused requests, and what the content security policy kept out. */
export interface Browser {
  readonly context: BrowserContext;
  open(look?: Look): Promise<{ readonly page: Page; readonly faults: string[] }>;
  close(): Promise<void>;
}

export async function openBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "env-manager-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath(),
    headless: true,
    args: [...QUIET],
    reducedMotion: "reduce",
  });
  // Playwright gives up after 30 seconds, in which a machine that does much else may not have loaded a page.
  context.setDefaultTimeout(120_000);
  return {
    context,
    async open({ width = 1280, height = 900, colorScheme = "light" } = {}) {
      const page = await context.newPage();
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      return { page, faults: watched(page) };
    },
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

function watched(page: Page): string[] {
  const faults: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") faults.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`page error: ${error.message}`));
  page.on("requestfailed", (request) => {
    // A page that is left takes its requests with it.
    if (request.failure()?.errorText !== "net::ERR_ABORTED")
      faults.push(`failed: ${request.method()} ${request.url()} ${request.failure()?.errorText}`);
  });
  return faults;
}

/** Logs in as whoever has the token, by the page that people use. */
export async function logIn(page: Page, url: string, token: string): Promise<void> {
  await page.goto(`${url}/login`);
  await logInHere(page, token);
  await page.getByRole("heading", { level: 1, name: "Projects" }).waitFor();
}

/** Gives a browser the cookie of whoever has the token, in place of what it has: as after logging in, without the pages that this takes. */
export async function takeSession(context: BrowserContext, url: string, token: string): Promise<void> {
  const reply = await fetch(`${url}/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  const [, name, value] = /^([^=]+)=([^;]+)/.exec(reply.headers.get("set-cookie") ?? "") ?? [];
  if (name === undefined || value === undefined) throw new Error(`POST /session answered ${reply.status} without a cookie.`);
  await context.clearCookies();
  await context.addCookies([{ name, value, url, httpOnly: true, sameSite: "Strict" }]);
}

/** Logs in where a page led to the one that asks for the token. Resolves when that one is left: what it leads to may not be there yet. */
export async function logInHere(page: Page, token: string): Promise<void> {
  const field = page.getByLabel("Access token");
  await field.fill(token);
  await page.getByRole("button", { name: "Log in" }).click();
  await field.waitFor({ state: "detached" });
}
