import { afterEach, describe, expect, test, vi } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { loadSettings } from "../../src/settings.ts";
import { clockOf, READER, ROOT, serveTo } from "../access/support.ts";
import { domainOn, PROJECT, Project } from "../domain/support.ts";
import { ROOT_TOKEN } from "../http/support.ts";
import { sharedStore } from "./support.ts";

const STALE_MS = 60_000;
const CONFIG = `/env/${PROJECT}/staging/config`;

afterEach(() => void vi.useRealTimers());

/** An engine whose store will be away, and another whose is not. */
async function openEngines(staleMs = STALE_MS) {
  vi.useFakeTimers({ toFake: ["performance"] });
  const shared = await sharedStore();
  const link = shared.connect();
  const engine = domainOn(link.store, shared.vault, [], { clock: clockOf(shared.clock), staleMs });
  const other = domainOn(shared.connect().store, shared.vault, [], { clock: clockOf(shared.clock) });
  const project = new Project(other);
  await project.create("staging");
  await project.configure("staging", { vars: { GREETING: "hello" } });
  const { token, id } = await other.tokens.create(ROOT, { ...READER, projects: [PROJECT] });
  const { as } = await serveTo(engine);
  return { link, engine, other, project, token, id, read: (shown = token, path = CONFIG) => as(shown, path), as };
}

/** As much time as the engine notices. */
const pass = (ms: number) => vi.advanceTimersByTime(ms);

describe("while the store cannot be reached", () => {
  test("every request is refused, unless the operator allows old answers", async () => {
    const { link, read } = await openEngines(0);
    expect((await read()).status).toBe(200);
    link.cut();
    expect(await read()).toMatchObject({ status: 503, body: { code: "store_unavailable" }, headers: { "retry-after": "1" } });
    link.mend();
    expect((await read()).status).toBe(200);
  });

  test("config is shown as it was last known, with its age, for as long as that is allowed and not longer", async () => {
    const { link, read } = await openEngines();
    const known = await read();
    expect(known.headers.age).toBeUndefined();
    expect(known.headers["x-envm-stale"]).toBeUndefined();
    link.cut();
    pass(10_000);
    const stale = await read();
    expect(stale).toMatchObject({ status: 200, body: known.body, headers: { age: "10", "x-envm-stale": "store_unavailable" } });
    expect(stale.headers.etag).toBe(known.headers.etag);
    pass(STALE_MS - 10_000);
    expect((await read()).headers.age).toBe("60");
    pass(1);
    expect(await read()).toMatchObject({ status: 503, body: { code: "store_unavailable" } });
  });

  test("whoever has it already is told so, and how old that is", async () => {
    const { link, read, as, token } = await openEngines();
    const { headers } = await read();
    link.cut();
    pass(2_500);
    const again = await as(token, { path: CONFIG, headers: { "if-none-match": headers.etag } });
    expect(again).toMatchObject({ status: 304, headers: { age: "3", "x-envm-stale": "store_unavailable" } });
  });

  test("once it is back, answers are current again, and say nothing of age", async () => {
    const { link, read, project } = await openEngines();
    await read();
    link.cut();
    pass(5_000);
    await project.configure("staging", { vars: { GREETING: "good evening" } });
    expect((await read()).body).toMatchObject({ vars: { GREETING: "hello" } });
    link.mend();
    const current = await read();
    expect(current.body).toMatchObject({ vars: { GREETING: "good evening" } });
    expect(current.headers.age).toBeUndefined();
  });

  test("what is read all the time was current at its last read, however long ago it was loaded", async () => {
    const { link, read } = await openEngines();
    for (let time = 0; time < 3; time++) {
      expect((await read()).status).toBe(200);
      pass(STALE_MS);
    }
    expect((await read()).status).toBe(200);
    link.cut();
    pass(10_000);
    expect(await read()).toMatchObject({ status: 200, headers: { age: "10" } });
  });

  test("nobody waits for a silent store longer than once, whatever has to be asked for, and who comes later not at all", async () => {
    const { link, read, project } = await openEngines();
    await read();
    // The token and the head are both to be looked at again.
    await project.configure("staging", { vars: { GREETING: "hi" } });
    vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
    /** What a read waits for, in milliseconds of the clock that stands still else. */
    const waited = async () => {
      let answered = false;
      const answer = read().finally(() => {
        answered = true;
      });
      let ms = 0;
      for (; !answered; ms++) {
        // All that goes on by itself has gone on when nothing is left but timers.
        for (let turn = 0; turn < 50 && !answered; turn++) await new Promise(setImmediate);
        if (!answered) await vi.advanceTimersByTimeAsync(1);
      }
      expect(await answer).toMatchObject({ status: 200, headers: { "x-envm-stale": "store_unavailable" } });
      return ms;
    };
    link.hang();
    expect(await waited()).toBeLessThan(LIMITS.staleAfterMs + 50);
    expect(await waited()).toBeLessThan(50);
    link.mend();
  });

  test("a token is taken that was known to be valid within the bound, and no other", async () => {
    const { link, read, other, id } = await openEngines();
    const stranger = await other.tokens.create(ROOT, { ...READER, projects: [PROJECT] });
    await read();
    link.cut();
    // Never seen by this engine: whether it is valid nobody can tell.
    expect((await read(stranger.token)).status).toBe(503);
    // Revoked where this engine cannot hear of it: taken until the bound is over, from when it was last known to be valid.
    await other.tokens.revoke(ROOT, id);
    pass(STALE_MS);
    expect((await read()).status).toBe(200);
    // The head is kept young by others that read it; the token is not.
    pass(1);
    expect((await read()).status).toBe(503);
    link.mend();
    expect((await read()).status).toBe(401);
  });

  test("what is known of a head counts for itself: a token that is young makes it no younger", async () => {
    const { link, read, as } = await openEngines();
    await read();
    pass(STALE_MS / 2);
    // Another route confirms the token, and not the head.
    await read(undefined, `/env/${PROJECT}`);
    link.cut();
    pass(STALE_MS / 2 + 1);
    expect((await read()).status).toBe(503);
    // The root token is known by heart, the head is not.
    expect((await as(ROOT_TOKEN, CONFIG)).status).toBe(503);
  });

  test("nothing else is answered from memory: other reads, older revisions, what reveals, and writes", async () => {
    const { link, read, as } = await openEngines();
    await read();
    link.cut();
    const others = [
      { path: `/env/${PROJECT}/staging/active` },
      { path: `/env/${PROJECT}/staging/state` },
      { path: `${CONFIG}?at=1` },
      { path: `/env/${PROJECT}/staging/runtime` },
      { path: `/env/${PROJECT}` },
      { path: CONFIG, method: "PATCH", body: { vars: { A: "1" } } },
    ];
    for (const question of others) expect(await as(ROOT_TOKEN, question), question.path).toMatchObject({ status: 503 });
  });

  test("an environment that nobody read here is not known", async () => {
    const { link, read, project, as } = await openEngines();
    await project.create("testing");
    await read();
    link.cut();
    expect((await as(ROOT_TOKEN, `/env/${PROJECT}/testing/config`)).status).toBe(503);
  });
});

describe("flags, while the store cannot be reached", () => {
  const FLAGS = `/ofrep/v1/evaluate/flags`;
  const NAMED = `?project_id=${PROJECT}&env=staging`;

  test.each([
    ["all of them", FLAGS],
    ["one", `${FLAGS}/beta`],
  ])("%s are evaluated as they were last known, with their age, and not longer than that is allowed", async (_, path) => {
    const { link, as, token, project } = await openEngines();
    await project.configure("staging", { flags: { beta: true } });
    const evaluate = (headers = {}) => as(token, { path: `${path}${NAMED}`, method: "POST", body: { context: { plan: "pro" } }, headers });
    for (let time = 0; time < 2; time++) {
      pass(STALE_MS);
      expect((await evaluate()).status).toBe(200);
    }
    const known = await evaluate();
    expect(known.headers.age).toBeUndefined();
    link.cut();
    pass(10_000);
    const stale = await evaluate();
    expect(stale).toMatchObject({ status: 200, body: known.body, headers: { age: "10", "x-envm-stale": "store_unavailable" } });
    if (path === FLAGS)
      expect(await evaluate({ "if-none-match": known.headers.etag })).toMatchObject({ status: 304, headers: { age: "10" } });
    pass(STALE_MS - 10_000 + 1);
    expect((await evaluate()).status).toBe(503);
    link.mend();
    expect((await evaluate()).headers.age).toBeUndefined();
  });

  test("all of them are refused, unless the operator allows old answers", async () => {
    const { link, as, token } = await openEngines(0);
    const evaluate = () => as(token, { path: `${FLAGS}${NAMED}`, method: "POST", body: {} });
    expect((await evaluate()).status).toBe(200);
    link.cut();
    expect((await evaluate()).status).toBe(503);
  });
});

describe("STALE_READS", () => {
  test("the setting takes what it may be at most, and nothing longer", () => {
    expect(loadSettings({ STALE_READS: "60s" }, "/nowhere").staleReadsMs).toBe(60_000);
    expect(loadSettings({ STALE_READS: "1h" }, "/nowhere").staleReadsMs).toBe(LIMITS.staleMaxMs);
    for (const wrong of ["61m", "2h", "60", "-1s", "soon", "1.5m"])
      expect(() => loadSettings({ STALE_READS: wrong }, "/nowhere")).toThrow(/STALE_READS/);
  });
});
