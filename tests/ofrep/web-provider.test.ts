import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page as Tab } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bucketOf } from "../flagd/murmur3.ts";
import { launchChromium } from "../support/chromium.ts";
import type { Page } from "./page/main.ts";
import { runningFlags } from "./running.ts";

/** OpenFeature's own provider for browsers, as it is published, in Chromium, on a page of another origin than the engine's. */

declare const page: Page;

const START_MS = 90_000;

let pages: { readonly server: Server; readonly origin: string };
let running: Awaited<ReturnType<typeof runningFlags>>;
let browser: Browser;

/** Serves the page, and its script as a browser loads it. */
async function servePage(): Promise<typeof pages> {
  const entry = fileURLToPath(new URL("page/main.ts", import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: "iife", platform: "browser" });
  const script = outputFiles[0]?.text ?? "";
  const server = createServer((request, response) => {
    if (request.url === "/main.js") response.setHeader("content-type", "text/javascript").end(script);
    else response.setHeader("content-type", "text/html").end('<!doctype html><script src="/main.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

beforeAll(async () => {
  pages = await servePage();
  running = await runningFlags({ OFREP_CORS_ORIGINS: pages.origin });
  browser = await launchChromium();
}, START_MS);

afterAll(async () => {
  await browser?.close();
  pages?.server.close();
  await running?.engine.dispose();
}, START_MS);

async function openTab(context: Record<string, string>): Promise<Tab> {
  return openIn(await browser.newPage(), context);
}

async function openIn(tab: Tab, context: Record<string, string>): Promise<Tab> {
  await tab.goto(pages.origin);
  const { engine, token } = running;
  await tab.evaluate(([url, key, who]) => page.open(url, key, who), [engine.url, token, context] as const);
  return tab;
}

const PRO = { targetingKey: "u1", plan: "pro", email: "ann@example.com" };

describe("OpenFeature's provider for browsers", () => {
  test("gets all flags with one request, from a page of another origin", async () => {
    const tab = await openTab(PRO);
    expect(await tab.evaluate(() => page.boolean("beta", false))).toMatchObject({ value: true, variant: "on", reason: "TARGETING_MATCH" });
    expect(await tab.evaluate(() => page.boolean("gone", true))).toMatchObject({ value: true, reason: "DISABLED" });
    expect(await tab.evaluate(() => page.boolean("nope", true))).toMatchObject({ value: true, errorCode: "FLAG_NOT_FOUND" });
    expect(await tab.evaluate(() => page.boolean("broken", true))).toMatchObject({ value: true, errorCode: "GENERAL" });
    expect(await tab.evaluate(() => page.object("limits"))).toEqual({ seats: 5, tags: ["x"] });
    const variant = bucketOf("headlineu1", [
      ["a", 50],
      ["b", 50],
    ]);
    expect(await tab.evaluate(() => page.string("headline", "none"))).toMatchObject({ variant });
    await tab.close();
  });

  test("asks again when the context changes, though the targeting key is the same", async () => {
    const tab = await openTab({ targetingKey: "u1", plan: "free" });
    expect(await tab.evaluate(() => page.boolean("beta", false))).toMatchObject({ value: false });
    await tab.evaluate((context) => page.setContext(context), PRO);
    expect(await tab.evaluate(() => page.boolean("beta", false))).toMatchObject({ value: true });
    await tab.close();
  });

  test("is told of a change by the stream that the engine named, and has it", async () => {
    const tab = await browser.newPage();
    // Before it is asked for: the provider may have it before its page is ready.
    const watching = tab.waitForResponse((response) => response.url().includes("/watch?ticket="));
    await openIn(tab, PRO);
    expect(await tab.evaluate(() => page.boolean("plain", false))).toMatchObject({ value: true });
    expect((await watching).status()).toBe(200);
    await running.change({ plain: false });
    await tab.waitForFunction(() => page.boolean("plain", true).value === false);
    await tab.waitForFunction(() => page.changes > 0);
    await tab.close();
  });

  test("is refused on a page whose origin is not allowed", async () => {
    const tab = await browser.newPage();
    await tab.goto(pages.origin.replace("127.0.0.1", "localhost"));
    const { engine, token } = running;
    const opened = tab.evaluate(([url, key, who]) => page.open(url, key, who), [engine.url, token, PRO] as const);
    await expect(opened).rejects.toThrow();
    await tab.close();
  });
});
