import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../../src/sdk/index.ts";
import { packageRoot } from "../../src/settings.ts";
import { launchChromium } from "../support/chromium.ts";
import { useEngine } from "../support/engine.ts";
import { connected } from "./support.ts";

const TOKEN = "root-token-of-the-browser-tests";
const engine = useEngine({ token: TOKEN });

/** The SDK as a page has it, by the name `sdk`. */
async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: packageRoot(),
    entryPoints: ["src/sdk/index.ts"],
    bundle: true,
    platform: "browser",
    format: "iife",
    globalName: "sdk",
    write: false,
  });
  return outputFiles[0]?.text ?? "";
}

test("in Chromium, under the engine's own content security policy: the same values as in Node, and news as they come", async () => {
  const at = { project: "browser", env: "dev" };
  const client = createClient({ url: engine.url, token: TOKEN });
  await client.createEnvironment({ project_id: at.project, new_environment: at.env });
  const rollout = {
    state: "ENABLED",
    variants: { on: true, off: false },
    defaultVariant: "off",
    targeting: {
      if: [
        { ends_with: [{ var: "email" }, "@example.com"] },
        "on",
        {
          fractional: [
            ["on", 25],
            ["off", 75],
          ],
        },
      ],
    },
  };
  await client.patchConfig({ ...at, vars: { A: "1" }, flags: { rollout } });

  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.addInitScript({ content: `${await bundle()};globalThis.sdk = sdk;` });
  const response = await page.goto(`${engine.url}/healthz`);
  expect(response?.headers()["content-security-policy"]).toContain("default-src");

  const contexts = Array.from({ length: 200 }, (_, n) => ({
    targetingKey: `user-${n}`,
    email: `user-${n}@example.${n % 5 === 0 ? "com" : "org"}`,
  }));
  const inPage = await page.evaluate(
    async ({ token, at: { project, env }, contexts: given }) => {
      const { sdk, location } = globalThis as unknown as { sdk: typeof import("../../src/sdk/index.ts"); location: { origin: string } };
      const environment = await sdk.connectEnvironment({ url: location.origin, token, project, env }).ready();
      const changed = new Promise((resolve) => environment.on("changed", resolve));
      Object.assign(globalThis, { environment, changed });
      return { a: environment.var("A"), values: given.map((context) => environment.value("rollout", false, context)) };
    },
    { token: TOKEN, at, contexts },
  );
  const here = await connected({ url: engine.url, token: TOKEN, ...at }).ready();
  expect(inPage.a).toBe("1");
  expect(inPage.values).toEqual(contexts.map((context) => here.value("rollout", false, context)));
  expect(new Set(inPage.values).size).toBe(2);

  await client.patchConfig({ ...at, vars: { A: "2" } });
  const news = await page.evaluate(async () => {
    const { changed, environment } = globalThis as unknown as {
      changed: Promise<{ vars: string[] }>;
      environment: { var(name: string): string };
    };
    return { vars: (await changed).vars, a: environment.var("A") };
  });
  expect(news).toEqual({ vars: ["A"], a: "2" });
});
