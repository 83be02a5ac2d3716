import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Receiver } from "../sinks/support.ts";
import type { Engine } from "../support/engine.ts";
import { Fleet, SHARED } from "./fleet.ts";

const LONG = process.env.ENV_MANAGER_TEST_LONG !== undefined;
const PROJECT = "shop";
const PREVIEWS = 12;
/** What one paused process may send again: the record that it was about to send, for each time that it stood still. */
const REPEATED = 1;

/** Every kind in full; otherwise the first. */
const KINDS = LONG ? SHARED : SHARED.slice(0, 1);

describe.each(KINDS)("two instances on $name", ({ start }) => {
  const receiver = new Receiver();
  let fleet: Fleet;

  beforeAll(async () => {
    await receiver.start();
    fleet = await Fleet.start(start, 2, { env: { LOGS_URL: receiver.url } });
    await post(fleet.engines[0] as Engine, "/env/create", { project_id: PROJECT, new_environment: "staging" });
  }, 120_000);
  afterAll(async () => {
    await fleet?.dispose();
    await receiver.stop();
  }, 120_000);

  test("previews expire with exactly one revision, and every record is delivered, in order, though one instance stands still and one is killed", async () => {
    const [first, second] = fleet.engines as [Engine, Engine];
    const names = Array.from({ length: PREVIEWS }, (_, index) => `pr-${index}`);
    await Promise.all(
      names.map((name, index) =>
        post(index % 2 === 0 ? first : second, "/env/create", {
          project_id: PROJECT,
          new_environment: name,
          type: "preview",
          expires_in: "3s",
        }),
      ),
    );
    // In the middle of what it does by itself, whatever that is.
    await expect.poll(async () => (await receiver.seen()).taken.length).toBeGreaterThan(0);
    first.signal("SIGSTOP");
    await expect.poll(() => expired(second), { timeout: 60_000, interval: 200 }).toHaveLength(PREVIEWS);
    const written = await delivered(second);
    first.signal("SIGCONT");
    // It goes on as if nothing had been, and writes.
    await post(first, `/env/${PROJECT}/staging/config`, { vars: { AFTER: "the pause" } }, "PATCH");
    await second.kill9();
    for (let nth = 0; nth < 5; nth++) await post(first, `/env/${PROJECT}/staging/config`, { vars: { NTH: String(nth) } }, "PATCH");
    const after = await delivered(first);
    expect(after.length).toBe(written.length + 6);
    expect((await expired(first)).sort()).toEqual([...names].sort());
    const { taken, breaches } = await receiver.seen();
    expect(breaches).toEqual([]);
    expect([...new Set(taken)]).toEqual(after);
    expect(taken.length - after.length).toBeLessThanOrEqual(REPEATED + KILLED);
    const { body } = await first.get<{ valid: boolean }>(`/env/${PROJECT}/audit/verify`);
    expect(body.valid).toBe(true);
  }, 180_000);

  /** The previews that have an `expire` record, once for each. */
  async function expired(engine: Engine): Promise<string[]> {
    return (await records(engine)).filter(({ action }) => action === "expire").map(({ environment }) => environment);
  }

  /** The ids of all records, once each of them has arrived. */
  async function delivered(engine: Engine): Promise<string[]> {
    const ids = (await records(engine)).map(({ seq }) => `${PROJECT}:${seq}`);
    await expect
      .poll(async () => new Set((await receiver.seen()).taken).size, { timeout: 60_000, interval: 200 })
      .toBeGreaterThanOrEqual(ids.length);
    return ids;
  }
});

/** What a killed sender may repeat: the records between two commits of its cursor. */
const KILLED = 20;

interface Record {
  readonly seq: number;
  readonly action: string;
  readonly environment: string;
}

async function records(engine: Engine): Promise<Record[]> {
  const { text } = await engine.get(`/env/${PROJECT}/audit/export`);
  const lines = text.trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Record).filter(({ seq }) => seq !== undefined);
}

async function post(engine: Engine, path: string, body: unknown, method: "POST" | "PATCH" = "POST"): Promise<void> {
  const reply = await engine.request(method, path, body);
  expect(reply.status, reply.text).toBeLessThan(300);
}
