import type { Route } from "playwright-core";
import { expect, test } from "vitest";
import { settled, useDashboard } from "./support.ts";

const dashboard = useDashboard();

test("whoever waits for an engine that does not answer is told so after seconds, and can ask it again by the keyboard", async () => {
  const { page } = await dashboard.tab();
  const asked: Route[] = [];
  let isHanging = true;
  await page.route(/\/session$/, (route) => {
    if (!isHanging) return route.continue();
    asked.push(route);
  });
  await page.goto(dashboard.engine.url + `/projects/${dashboard.scene.project}`);
  await page.getByRole("status").getByText("The engine has not answered yet.").waitFor({ timeout: 20_000 });
  expect(asked.length).toBeGreaterThan(0);
  isHanging = false;
  await page.getByRole("button", { name: "Try again" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: dashboard.scene.project }).waitFor({ timeout: 20_000 });
  await settled(page);
});
