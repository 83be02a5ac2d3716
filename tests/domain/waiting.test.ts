import { describe, expect, test } from "vitest";
import { serveApp } from "../http/support.ts";
import { domainOn, memoryStore, openVault, openWorld, PROJECT, type World } from "./support.ts";

const NEVER = new AbortController().signal;
const MINUTE = 60_000;

async function started(): Promise<World> {
  const world = await openWorld();
  await world.project.create("staging");
  return world;
}

describe("whoever waits for something newer", () => {
  test("has it as soon as it is there", async () => {
    const { domain, project } = await started();
    const waiting = domain.deployments.activeAfter(PROJECT, "staging", { after: 1, waitMs: MINUTE, signal: NEVER });
    await project.set("staging", { "flows/a": 1 });
    expect((await waiting).body).toMatchObject({ revision: 2 });
  });

  test("has it at once where it is there already, and where nothing is waited for", async () => {
    const { domain } = await started();
    const ask = (after: number, waitMs: number) => domain.deployments.activeAfter(PROJECT, "staging", { after, waitMs, signal: NEVER });
    expect((await ask(0, MINUTE)).body.revision).toBe(1);
    expect((await ask(1, 0)).body.revision).toBe(1);
    expect((await ask(1, 1)).body.revision).toBe(1);
  });

  test("has what there is at once where they name a revision that there is not yet: their store was restored since", async () => {
    const { domain, project } = await started();
    const wait = (after: number) => domain.deployments.activeAfter(PROJECT, "staging", { after, waitMs: MINUTE, signal: NEVER });
    const asked = performance.now();
    expect((await wait(57)).body.revision).toBe(1);
    expect(performance.now() - asked).toBeLessThan(MINUTE / 2);
    // From there they go on as everybody does.
    const waiting = wait(1);
    await project.set("staging", { "flows/a": 1 });
    expect((await waiting).body.revision).toBe(2);
  });

  test("is not answered by what changes elsewhere in the project, nor by what changes no head", async () => {
    const { domain, project } = await started();
    await project.create("production");
    let answered = 0;
    const waiting = domain.deployments.activeAfter(PROJECT, "staging", { after: 1, waitMs: MINUTE, signal: NEVER }).then((active) => {
      answered = active.body.revision;
    });
    await project.set("production", { "flows/a": 1 });
    await domain.environments.hold(project.caller, { project: PROJECT, env: "staging" });
    expect(answered).toBe(0);
    await project.set("staging", { "flows/a": 1 });
    await waiting;
    expect(answered).toBe(2);
  });

  test("hears of what another instance wrote", async () => {
    const store = memoryStore();
    const vault = await openVault(store);
    const { project } = await openWorld({ store, vault });
    await project.create("staging");
    const waiting = domainOn(store, vault).deployments.activeAfter(PROJECT, "staging", { after: 1, waitMs: MINUTE, signal: NEVER });
    await project.set("staging", { "flows/a": 1 });
    expect((await waiting).body.revision).toBe(2);
  });

  test("is let go when they are gone, and when the engine closes", async () => {
    const { domain } = await started();
    const gone = new AbortController();
    const wait = (signal: AbortSignal) => domain.deployments.activeAfter(PROJECT, "staging", { after: 1, waitMs: MINUTE, signal });
    const waiting = wait(gone.signal);
    gone.abort();
    expect((await waiting).body.revision).toBe(1);
    const other = wait(NEVER);
    domain.news.close();
    expect((await other).body.revision).toBe(1);
    expect((await wait(NEVER)).body.revision).toBe(1);
  });
});

describe("over HTTP", () => {
  const path = (query: string) => `/env/${PROJECT}/staging/active?${query}`;

  test("the answer comes with the next head, and 304 for who has it", async () => {
    const { domain, project } = await started();
    const ask = await serveApp(domain);
    const before = await ask(path(""));
    const waiting = ask(path("wait=60s&after=1"));
    await project.set("staging", { "flows/a": 1 });
    const after = await waiting;
    expect(after).toMatchObject({ status: 200, body: { revision: 2 } });
    expect(after.headers.etag).not.toBe(before.headers.etag);
    const etag = String(after.headers.etag);
    expect(await ask({ path: path("wait=1s&after=1"), headers: { "if-none-match": etag } })).toMatchObject({ status: 304 });
  });

  test.each(["wait=61s", "wait=soon", "wait=-1s", "after=x", "after=-1", "wait=1s&at=1"])("%s is refused", async (query) => {
    const { domain } = await started();
    const ask = await serveApp(domain);
    expect(await ask(path(query))).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  });
});
