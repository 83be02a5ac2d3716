import { expect, test } from "vitest";
import { makeTicket, readTicket } from "../../src/tickets.ts";
import { pass, ROOT } from "../access/support.ts";
import { ROOT_TOKEN } from "../http/support.ts";
import { BULK, openFlags } from "./support.ts";

type World = Awaited<ReturnType<typeof openFlags>>;

/** The address that an evaluation of all flags names, asked with these headers. */
async function streamOf({ send }: World, headers: Record<string, string> = {}, query = ""): Promise<string | null> {
  const { body } = await send(BULK + query, {}, headers);
  const streams = body["eventStreams"] as readonly { readonly endpoint: { readonly requestUri: string } }[] | undefined;
  return streams?.[0]?.endpoint.requestUri ?? null;
}

/** HEAD: whether it would be let in, without staying. */
async function statusOf({ ask }: World, path: string | null): Promise<number> {
  return (await ask({ method: "HEAD", path: path ?? "" })).status;
}

test("the reply for all flags names a stream that needs no header", async () => {
  const world = await openFlags();
  const { body } = await world.send(BULK, {});
  expect(body["eventStreams"]).toEqual([
    {
      type: "sse",
      endpoint: { requestUri: expect.stringMatching(/^\/env\/pf-777\/staging\/watch\?ticket=envt_/) },
      inactivityDelaySec: 120,
    },
  ]);
  expect(await statusOf(world, await streamOf(world))).toBe(200);
});

test("is the same for an hour, is taken for as long again, and then no more", async () => {
  const world = await openFlags();
  const first = await streamOf(world);
  expect(await streamOf(world)).toBe(first);
  const tag = (await world.send(BULK, {})).headers.etag;
  pass(world.clock, "1h");
  const second = await streamOf(world);
  expect(second).not.toBe(first);
  // Who has the first must be told of the second, though no flag has changed.
  expect((await world.send(BULK, {}, { "if-none-match": String(tag) })).status).toBe(200);
  expect(await statusOf(world, first)).toBe(200);
  pass(world.clock, "1h");
  expect(await statusOf(world, first)).toBe(401);
  expect(await statusOf(world, second)).toBe(200);
});

test("a ticket opens one environment's stream, and nothing else", async () => {
  const world = await openFlags();
  const ticket = (await streamOf(world))?.split("ticket=")[1] ?? "";
  for (const path of ["/env/pf-777/production/watch", "/env/pf-778/staging/watch"])
    expect(await statusOf(world, `${path}?ticket=${ticket}`), path).toBe(401);
  for (const path of ["config", "state", "flags", "active", "runtime"]) {
    expect((await world.ask(`/env/pf-777/staging/${path}?ticket=${ticket}`)).status, path).toBe(401);
  }
  expect((await world.ask({ method: "POST", path: `${BULK}?ticket=${ticket}`, body: {} })).status).toBe(401);
  expect((await world.ask({ path: "/env/pf-777/staging/config", headers: { authorization: `Bearer ${ticket}` } })).status).toBe(401);
});

test("a ticket that somebody made or changed opens nothing", async () => {
  const world = await openFlags();
  const path = (await streamOf(world)) ?? "";
  const now = world.clock.time;
  const forged = makeTicket(readTicket(path.split("ticket=")[1] ?? "")?.holder ?? "", Buffer.alloc(32), "pf-777", "staging", now);
  const others = [
    forged,
    makeTicket("root", Buffer.alloc(32), "pf-777", "staging", now),
    makeTicket("0".repeat(16), Buffer.alloc(32), "pf-777", "staging", now),
    "",
    "envt_",
    "nonsense",
  ];
  for (const ticket of others) expect(await statusOf(world, `/env/pf-777/staging/watch?ticket=${ticket}`), ticket).toBe(401);
  const longer = path.replace(/_([0-9a-z]+)_(?=[\w-]{43}$)/, (_, end: string) => `_${(Number.parseInt(end, 36) + 1).toString(36)}_`);
  expect(longer).not.toBe(path);
  expect(await statusOf(world, longer)).toBe(401);
});

test("a ticket ends with its token", async () => {
  const world = await openFlags();
  const path = await streamOf(world);
  const { items } = await world.domain.tokens.list(ROOT, { limit: 10, cursor: null });
  await world.domain.tokens.revoke(ROOT, items[0]?.id ?? "");
  expect(await statusOf(world, path)).toBe(401);
});

test("the root token's holder is given one too", async () => {
  const world = await openFlags();
  const path = await streamOf(world, { authorization: `Bearer ${ROOT_TOKEN}` }, "?project_id=pf-777&env=staging");
  expect(path).toContain("ticket=envt_root_");
  expect(await statusOf(world, path)).toBe(200);
});
