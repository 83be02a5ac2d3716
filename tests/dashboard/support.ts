import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, vi } from "vitest";
import { Engine } from "../support/engine.ts";
import { type Browser, type Look, logIn, openBrowser, takeSession } from "./browser.ts";
import { type Scene, setScene } from "./scene.ts";

/** Milliseconds after which a test is given up: pages are many, and a machine may be slow. Nothing waits for time to pass. */
const PATIENCE_MS = 600_000;

export const ROOT = "root-token-of-the-dashboard-tests";

export interface Dashboard {
  readonly engine: Engine;
  readonly scene: Scene;
  readonly browser: Browser;
  /** A tab of somebody who is logged in, as root or with the token given, and shows nothing yet. What went wrong in it unseen is in `faults`. */
  tab(look?: Look, token?: string): Promise<Tab>;
  /** A tab in which somebody has just logged in, by the page that people use: the tabs beside it are told. */
  tabOfWhoLogsIn(token?: string): Promise<Tab>;
}

export interface Tab {
  readonly page: Page;
  readonly faults: string[];
  /** Goes to an address below the project's. */
  go(path: string): Promise<void>;
}

/** A real engine with a project in the middle of its life, and a real browser. */
export function useDashboard({ withScene = true } = {}): Dashboard {
  vi.setConfig({ testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS });
  let engine: Engine | undefined;
  let scene: Scene | undefined;
  let browser: Browser | undefined;
  const pages: Page[] = [];
  const there = <Thing>(thing: Thing | undefined): Thing => {
    if (thing === undefined) throw new Error("not before the tests begin");
    return thing;
  };
  const opened = async (look?: Look): Promise<Tab> => {
    const { page, faults } = await there(browser).open(look);
    pages.push(page);
    return {
      page,
      faults,
      async go(path) {
        await page.goto(there(engine).url + path);
        await settled(page);
      },
    };
  };
  beforeAll(async () => {
    [engine, browser] = await Promise.all([new Engine({ token: ROOT }).start(), openBrowser()]);
    if (withScene) scene = await setScene(engine.url, ROOT);
  });
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.close();
  });
  afterAll(async () => {
    await browser?.close();
    await engine?.dispose();
  });
  return {
    get engine() {
      return there(engine);
    },
    get scene() {
      return there(scene);
    },
    get browser() {
      return there(browser);
    },
    async tab(look, token = ROOT) {
      const tab = await opened(look);
      await takeSession(there(browser).context, there(engine).url, token);
      return tab;
    },
    async tabOfWhoLogsIn(token = ROOT) {
      const tab = await opened();
      await there(browser).context.clearCookies();
      await logIn(tab.page, there(engine).url, token);
      return tab;
    },
  };
}

/**
 * Resolves when the page shows what it has to show. A page that somebody is about to leave shows that too: after a click that leads
 * elsewhere, wait for something that is there alone.
 */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector("main h1") !== null && document.querySelector("[aria-busy=true]") === null);
}

/** Reads something of a page until it is as expected: what came before it may be there for a moment longer. */
export function eventually<Value>(read: () => Value | Promise<Value>, what?: string) {
  return expect.poll(read, { timeout: 120_000, ...(what !== undefined && { message: what }) });
}

/** Has the pages of a tab do without the tabs beside it: they follow changes by themselves. */
export async function alone(page: Page): Promise<void> {
  await page.addInitScript(() => Object.defineProperty(window, "SharedWorker", { value: undefined }));
}
