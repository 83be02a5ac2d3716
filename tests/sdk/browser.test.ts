import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";
import { packageRoot } from "../../src/package.ts";
import { createClient } from "../../src/sdk/index.ts";
import { launchChromium } from "../support/chromium.ts";
import { useEngine } from "../support/engine.ts";
import { connected } from "./support.ts";

const TOKEN = "root-token-of-the-browser-tests";
/** A name of the engine's that no browser takes for this machine: over plain HTTP a page there has half of `crypto` alone. */
const PLAIN_HOST = "engine.test";
const engine = useEngine({ token: TOKEN, env: { ENV_MANAGER_ALLOWED_HOSTS: PLAIN_HOST } });

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

test("in a page that came over plain HTTP from another machine: it writes, reads and follows, and says that nothing can be kept sealed there", async () => {
  const browser = await launchChromium([`--host-resolver-rules=MAP ${PLAIN_HOST} 127.0.0.1`]);
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.addInitScript({ content: `${await bundle()};globalThis.sdk = sdk;` });
  await page.goto(`http://${PLAIN_HOST}:${new URL(engine.url).port}/healthz`);
  const seen = await page.evaluate(async (token) => {
    const { sdk, location, isSecureContext } = globalThis as unknown as {
      sdk: typeof import("../../src/sdk/index.ts");
      location: { origin: string };
      isSecureContext: boolean;
    };
    const at = { url: location.origin, token };
    const { status } = await sdk
      .createClient(at)
      .createEnvironment({ project_id: "plain", new_environment: "dev", env_variables: { A: "1" } });
    const store = { read: async () => null, write: async () => undefined };
    const environment = sdk.connectEnvironment({ ...at, project: "plain", env: "dev", persist: { store } });
    const told = new Promise<{ code: string; reason: string }>((resolve) => environment.on("error", resolve));
    const a = (await environment.ready()).var("A");
    const { code, reason } = await told;
    return { isSecure: isSecureContext, status, a, state: environment.status.state, code, reason };
  }, TOKEN);
  expect(seen).toMatchObject({ isSecure: false, status: "env_created", a: "1", state: "current", code: "copy_store_failed" });
  expect(seen.reason).toMatch(/HTTPS/);
});
