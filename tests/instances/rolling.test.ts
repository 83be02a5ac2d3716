import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Balancer } from "./balancer.ts";
import { Fleet, SHARED } from "./fleet.ts";

const PROJECT = "shop";
const CLIENTS = 8;
/** Longer than the proxy takes to notice. */
const DELAY = "3s";

describe.each(SHARED)("on $name", ({ start }) => {
  let fleet: Fleet;
  let proxy: Balancer;

  beforeAll(async () => {
    fleet = await Fleet.start(start, 2, { env: { SHUTDOWN_DELAY: DELAY } });
    proxy = await Balancer.start(fleet.engines.map(({ url }) => url));
  }, 120_000);
  afterAll(async () => {
    await proxy?.close();
    await fleet?.dispose();
  }, 120_000);

  test("both instances are restarted, one after the other, behind a proxy and under load, without a failed request", async () => {
    const send = async (method: string, path: string, body?: unknown) => {
      const headers = { "content-type": "application/json" };
      const reply = await fetch(proxy.url + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
      const text = await reply.text();
      // The proxy's own answers have no body: what it was that no instance answered is what a failure has to say.
      if (text === "") throw new Error(`${method} ${path} was answered ${reply.status} without a body: ${proxy.failures.join("; ")}`);
      return { status: reply.status, body: JSON.parse(text) as { revision: number; vars: Record<string, string> } };
    };
    await send("POST", "/env/create", { project_id: PROJECT, new_environment: "staging" });
    const path = `/env/${PROJECT}/staging/config`;
    const statuses = new Map<number, number>();
    let over = false;
    const written: Record<string, string> = {};
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      for (let nth = 0; !over; nth++) {
        const name = `K_${client}`;
        const wrote = await send("PATCH", path, { vars: { [name]: String(nth) } });
        if (wrote.status === 200) written[name] = String(nth);
        const read = await send("GET", path);
        for (const { status } of [wrote, read]) statuses.set(status, (statuses.get(status) ?? 0) + 1);
        // What was acknowledged to this client is there, whichever instance answers.
        expect(read.body.vars[name]).toBe(written[name]);
        expect(read.body.revision).toBeGreaterThanOrEqual(wrote.body.revision);
      }
    });
    for (const engine of [...fleet.engines]) {
      const gone = engine.url;
      await engine.stop();
      await engine.start();
      proxy.replace(gone, [engine.url]);
    }
    over = true;
    await Promise.all(clients);
    expect(proxy.failures).toEqual([]);
    expect([...statuses.keys()]).toEqual([200]);
    expect(statuses.get(200)).toBeGreaterThan(CLIENTS);
    expect((await send("GET", path)).body.vars).toEqual(written);
  }, 180_000);
});
