import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Fleet, SHARED } from "./fleet.ts";

const PROJECT = "shop";
const INSTANCES = 3;
const CLIENTS = 16;
const MS = 3_000;

describe.each(SHARED)("on $name", ({ start }) => {
  let fleet: Fleet;

  beforeAll(async () => {
    const env = { RATE_LIMIT_PER_TOKEN: "1000000", RATE_LIMIT_PER_ADDRESS: "1000000" };
    fleet = await Fleet.start(start, INSTANCES, { env });
  }, 120_000);
  afterAll(() => fleet?.dispose(), 120_000);

  test("instances that write one project without a pause refuse nobody, and each gets through", async () => {
    const [first] = fleet.engines;
    const created = await first?.request("POST", "/env/create", { project_id: PROJECT, new_environment: "staging" });
    expect(created?.status).toBe(201);
    const refused: unknown[] = [];
    const end = performance.now() + MS;
    const written: Record<string, string> = {};
    const writes = await Promise.all(
      fleet.engines.map(async (engine, instance) => {
        const clients = Array.from({ length: CLIENTS }, async (_, client) => {
          const name = `K_${instance}_${client}`;
          let count = 0;
          for (; performance.now() < end; count++) {
            const { status, body } = await engine.request("PATCH", `/env/${PROJECT}/staging/config`, { vars: { [name]: `${count}` } });
            if (status === 200) written[name] = `${count}`;
            else refused.push({ instance, status, body });
          }
          return count;
        });
        return (await Promise.all(clients)).reduce((sum, count) => sum + count, 0);
      }),
    );
    expect(refused).toEqual([]);
    expect(Math.min(...writes)).toBeGreaterThan(Math.max(...writes) / 4);
    for (const engine of fleet.engines) {
      const { body } = await engine.request("GET", `/env/${PROJECT}/staging/config`);
      expect((body as { vars: object }).vars).toEqual(written);
    }
  }, 60_000);
});
