import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Store } from "../../src/ports.ts";
import { openStore } from "../../src/storage/open.ts";
import { runChild, temporaryFolder } from "./support.ts";

const ROUNDS = process.env.ENV_MANAGER_TEST_LONG ? 40 : 3;
const LINES_BEFORE_KILL = 150;

it(`kill -9 loses nothing that was acknowledged, and leaves no half commit (${ROUNDS} rounds)`, { timeout: ROUNDS * 60_000 }, async () => {
  const folder = temporaryFolder();
  const url = `sqlite:${join(folder, "env.db")}`;
  const acknowledged = new Map([
    ["left", 0],
    ["right", 0],
  ]);
  for (let round = 0; round < ROUNDS; round++) {
    const child = runChild("write-loop", url);
    // A different number of commits each round, so that the kill meets different moments.
    for (let line = 0; line < LINES_BEFORE_KILL + round * 7; line++) note(acknowledged, (await child.lines.next()).value);
    await child.kill();
    for (let line = await child.lines.next(); line.done !== true; line = await child.lines.next()) note(acknowledged, line.value);

    const store = await openStore(url);
    for (const [partition, number] of acknowledged) await verify(store, partition, number);
    await store.close();
  }
  rmSync(folder, { recursive: true });
});

function note(acknowledged: Map<string, number>, line: string): void {
  const [, partition, number] = /^(left|right) (\d+)$/.exec(line) ?? [];
  // A line that the kill cut short says nothing.
  if (partition !== undefined) acknowledged.set(partition, Math.max(Number(number), acknowledged.get(partition) ?? 0));
}

/** Whatever the counter says was committed is there whole, nothing beyond it is, and it says no less than was acknowledged. */
async function verify(store: Store, partition: string, acknowledged: number): Promise<void> {
  const [counter] = await store.get(partition, ["counter"]);
  const committed = Number(counter?.value ?? 0);
  expect(committed).toBeGreaterThanOrEqual(acknowledged);
  const expected = Array.from({ length: committed }, (_, n) => n + 1);
  for (const prefix of ["a/", "b/"]) expect(await valuesOf(store, partition, prefix)).toEqual(expected);
  const objects = await store.objects.list(partition, null, 10_000);
  expect(objects.map(({ hash }) => Number(hash))).toEqual(expected);
  expect(await store.revision([partition])).toEqual([counter?.revision ?? 0]);
}

async function valuesOf(store: Store, partition: string, prefix: string): Promise<unknown[]> {
  return (await store.list(partition, { prefix, limit: 10_000 })).map(({ value }) => value);
}
