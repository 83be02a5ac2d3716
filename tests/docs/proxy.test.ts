import { expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { blocks, read, section } from "./support.ts";

const PAGE = read("docs/operations/proxy.md");
const [nginx = ""] = blocks(PAGE, "nginx");
const [haproxy = ""] = blocks(PAGE, "haproxy");

function numbers(text: string, pattern: RegExp): readonly number[] {
  return [...text.matchAll(pattern)].map(([, number]) => Number(number));
}

test("a proxy that is set up as the page says takes as much as the engine does, and waits as long as a reader may", () => {
  expect(numbers(nginx, /client_max_body_size (\d+)m;/g).map((mebibytes) => mebibytes * 2 ** 20)).toEqual([
    expect.toSatisfy((bytes: number) => bytes > LIMITS.stateBodyBytes),
  ]);
  const waits = [...numbers(nginx, /proxy_read_timeout (\d+)s;/g), ...numbers(haproxy, /timeout (?:client|server) (\d+)s/g)];
  expect(waits).toHaveLength(3);
  for (const seconds of waits) expect(seconds * 1_000).toBeGreaterThan(LIMITS.waitMs);
  for (const seconds of waits) expect(seconds * 1_000).toBeGreaterThan(2 * LIMITS.watchHeartbeatMs);
});

test("the unit lets the engine finish what runs", () => {
  const [unit = ""] = blocks(section(PAGE, "## systemd"), "ini");
  const [seconds = 0] = numbers(unit, /^TimeoutStopSec=(\d+)$/gm);
  expect(seconds * 1_000).toBeGreaterThan(2 * LIMITS.shutdownMs);
});
