import { expect, test } from "vitest";
import { untilAny } from "../../src/git/until.ts";
import { openWorld, PROJECT } from "../domain/support.ts";
import { tracesIn } from "../support/signals.ts";
import { folder, repositoriesOf } from "./support.ts";

const forever = (until: AbortSignal) => new Promise<never>((_, reject) => until.addEventListener("abort", () => reject(until.reason)));

test("work goes on until the first of its signals is aborted, with its reason", async () => {
  const [caller, engine] = [new AbortController(), new AbortController()];
  const first = untilAny([caller.signal, engine.signal], forever);
  const second = untilAny([undefined, engine.signal], forever);
  caller.abort("nobody waits");
  await expect(first).rejects.toBe("nobody waits");
  engine.abort("the engine ends");
  await expect(second).rejects.toBe("the engine ends");
  await expect(untilAny([engine.signal], async (until) => until.reason)).resolves.toBe("the engine ends");
});

test("a signal that lives long keeps no trace of what waited for it", async () => {
  const { project, store } = await openWorld();
  await project.create("staging");
  const repositories = repositoriesOf(store, folder());
  const long = new AbortController();
  for (let n = 0; n < 3; n++) await repositories.current(PROJECT, long.signal);
  expect(tracesIn(long.signal)).toBe(0);
});
