import { expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { memoryStore, openWorld, PROJECT, TestClock } from "../domain/support.ts";
import { serveApp } from "../http/support.ts";

const HOUR = 60 * 60_000;

/** A preview of `staging`, and a clock that stands still unless a test moves it on. */
async function servePreview(expiry: object = {}) {
  const clock = new TestClock();
  const { domain, project } = await openWorld({ store: memoryStore(clock) });
  await project.create("staging");
  const ask = await serveApp(domain);
  const create = { project_id: PROJECT, new_environment: "pr-1", type: "preview", base_from: "staging", ...expiry };
  const { status } = await ask({ method: "POST", path: "/env/create", body: create });
  expect(status).toBe(201);
  const state = async () => (await ask(`/env/${PROJECT}/pr-1/state`)).status;
  const restore = async () => {
    const { status, body } = await ask({ method: "POST", path: "/env/restore", body: { project_id: PROJECT, env: "pr-1" } });
    return body.code ?? status;
  };
  return { clock, state, restore };
}

test("a preview that names no end lives for the usual time, and not a millisecond longer", async () => {
  const { clock, state } = await servePreview();
  clock.time += LIMITS.previewDefaultTtlMs - 1;
  expect(await state()).toBe(200);
  clock.time += 1;
  expect(await state()).toBe(410);
});

test("a preview can be brought back until its grace time is over, and not a millisecond longer", async () => {
  for (const [late, answer] of [
    [-1, 200],
    [0, "environment_expired"],
  ] as const) {
    const { clock, restore } = await servePreview({ expires_in: "1h" });
    clock.time += HOUR + LIMITS.previewGraceMs + late;
    expect(await restore()).toBe(answer);
  }
});

test("a preview that is brought back without a new end lives for the usual time from then on, and not a millisecond longer", async () => {
  const { clock, restore, state } = await servePreview({ expires_in: "1h" });
  clock.time += HOUR;
  expect(await restore()).toBe(200);
  clock.time += LIMITS.previewRestoredMs - 1;
  expect(await state()).toBe(200);
  clock.time += 1;
  expect(await state()).toBe(410);
});
