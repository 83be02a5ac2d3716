import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine, type Members, type Reply } from "../support/engine.ts";
import { type Created, expectError, Project, type Promoted, succeeded, type Written } from "../support/project.ts";

/** A request sent again with its Idempotency-Key takes effect once: also over a crash, and many at once. */
const engine = new Engine();
beforeAll(async () => {
  await engine.start();
}, 60_000);
afterAll(() => engine.dispose(), 60_000);

let keys = 0;
const newKey = (): Record<string, string> => ({ "idempotency-key": `key-${++keys}` });

interface Sent {
  readonly method: "POST" | "PUT" | "PATCH";
  readonly path: string;
  readonly body: Members;
}

const send = <Body = Members>({ method, path, body }: Sent, key: Record<string, string>): Promise<Reply<Body>> =>
  engine.request<Body>(method, path, body, key);

/** Staging is ahead of production, which waits for nobody; a version to go back to exists. */
async function prepared(): Promise<Project> {
  const project = new Project(engine, "once");
  await project.create("staging", { env_variables: { API_KEY: "sk-1" } });
  await project.patchState("staging", { set: { "flows/a": { on: true } } });
  await project.create("production", { base_from: "staging", secrets: "empty" });
  await project.patchState("staging", { set: { "flows/b": {} } });
  return project;
}

const writes: readonly (readonly [string, (project: Project) => Sent])[] = [
  ["state", (project) => ({ method: "PATCH", path: project.path("staging", "state"), body: { set: { "flows/c": {} } } })],
  ["the whole state", (project) => ({ method: "PUT", path: project.path("staging", "state"), body: { state: { flows: { z: {} } } } })],
  [
    "config with secrets",
    (project) => ({ method: "PATCH", path: project.path("staging", "config"), body: { secrets: { API_KEY: "sk-2" } } }),
  ],
  [
    "a creation",
    (project) => ({ method: "POST", path: "/env/create", body: { project_id: project.id, new_environment: "qa", base_from: "staging" } }),
  ],
  [
    "a promotion",
    (project) => ({
      method: "POST",
      path: "/env/promote",
      body: { project_id: project.id, source_env: "staging", target_env: "production" },
    }),
  ],
  ["a rollback", (project) => ({ method: "POST", path: "/env/rollback", body: { project_id: project.id, env: "staging", to: 1 } })],
  [
    "a deployment report",
    (project) => ({
      method: "POST",
      path: "/env/deployments",
      body: { project_id: project.id, env: "staging", version: "v0.3.0", status: "deployed" },
    }),
  ],
  ["a policy", (project) => ({ method: "PUT", path: project.path("policy"), body: { pipeline: ["staging", "production"] } })],
  ["a hold", (project) => ({ method: "POST", path: "/env/hold", body: { project_id: project.id, env: "staging" } })],
];

test("the first answer is given again after kill -9, and nothing is done twice", async () => {
  const sent: {
    readonly project: Project;
    readonly what: Sent;
    readonly key: Record<string, string>;
    readonly first: Reply<Members>;
    records: number;
  }[] = [];
  for (const [, make] of writes) {
    const project = await prepared();
    const what = make(project);
    const key = newKey();
    const first = await send(what, key);
    expect([200, 201], first.text).toContain(first.status);
    sent.push({ project, what, key, first, records: (await project.verify()).records });
  }
  await engine.kill9();
  await engine.start();
  for (const { project, what, key, first, records } of sent) {
    const again = await send(what, key);
    expect({ status: again.status, body: again.body }, what.path).toEqual({ status: first.status, body: first.body });
    expect(await project.verify()).toMatchObject({ valid: true, records });
    const other = await send({ ...what, body: { ...what.body, message: "another" } }, key);
    // The policy has no such member, so that it is refused before its key is asked about.
    if (what.path.endsWith("/policy")) expectError(other, 400, "invalid_policy");
    else if (/hold|deployments/.test(what.path)) expectError(other, 400, "invalid_request");
    else expectError(other, 422, "idempotency_mismatch");
    expect(await project.verify()).toMatchObject({ valid: true, records });
  }
}, 120_000);

test.each(writes)("twenty at once with one key take effect once: %s", async (_what, make) => {
  const project = await prepared();
  const { records } = await project.verify();
  const what = make(project);
  const key = newKey();
  const replies = await Promise.all(Array.from({ length: 20 }, () => send(what, key)));
  for (const reply of replies) {
    expect({ status: reply.status, body: reply.body }, reply.text).toEqual({ status: replies[0]?.status, body: replies[0]?.body });
  }
  expect([200, 201]).toContain(replies[0]?.status);
  expect(await project.verify()).toMatchObject({ valid: true, records: records + 1 });
});

/** Writes at once, each with a key of its own, until the engine is killed in the middle of them. */
test("writers that are cut off by a crash and ask again have each their one revision", async () => {
  const WRITERS = 200;
  const project = new Project(engine, "once");
  await project.create("staging");
  const requests = Array.from({ length: WRITERS }, (_, index) => ({
    key: newKey(),
    what: {
      method: "PATCH",
      ...(index % 2 === 0
        ? { path: project.path("staging", "state"), body: { set: { [`flows/w${index}`]: { index } }, message: `w${index}` } }
        : { path: project.path("staging", "config"), body: { secrets: { [`W_${index}_KEY`]: `value ${index}` }, message: `w${index}` } }),
    } satisfies Sent,
  }));
  let answered = 0;
  let killed: Promise<void> | undefined;
  const first = await Promise.all(
    requests.map(async ({ what, key }) => {
      const reply = await send<Written>(what, key).catch(() => null);
      if (reply !== null && ++answered >= WRITERS / 4) killed ??= engine.kill9();
      return reply;
    }),
  );
  await killed;
  await engine.start();
  // Everyone asks again, those that were answered too: nobody can know which of the others took effect.
  const second = await Promise.all(requests.map(({ what, key }) => send<Written>(what, key)));
  for (const [index, reply] of second.entries()) {
    expect(reply.status, reply.text).toBe(200);
    const before = first[index];
    if (before?.status === 200) expect(reply.body).toEqual(before.body);
  }
  const revisions = await project.revisions("staging");
  expect(revisions).toHaveLength(WRITERS + 1);
  expect(new Set(revisions.map(({ message }) => message)).size).toBe(WRITERS + 1);
  expect(new Set(second.map(({ body }) => body.revision)).size).toBe(WRITERS);
  const { secrets } = await project.runtime("staging");
  expect(Object.keys(secrets)).toHaveLength(WRITERS / 2);
  expect(await project.verify()).toMatchObject({ valid: true });
}, 120_000);

describe("a key", () => {
  test("of a refused request is free: the same one takes effect once its reason is gone", async () => {
    const project = await prepared();
    await project.patchState("staging", { set: { "requires/HOST": { kind: "var" } } });
    const what: Sent = {
      method: "POST",
      path: "/env/promote",
      body: { project_id: project.id, source_env: "staging", target_env: "production" },
    };
    const key = newKey();
    expectError(await send(what, key), 409, "checks_failed");
    await project.patchConfig("production", { vars: { HOST: "shop.example" } });
    expect(succeeded(await send<Promoted>(what, key))).toMatchObject({ status: "ready_for_deploy" });
    expect(succeeded(await send<Promoted>(what, key))).toMatchObject({ status: "ready_for_deploy" });
    expect(await project.revisions("production")).toHaveLength(3);
  });

  test("of a CI job may be the pull request's: the same preview, for the same push, once", async () => {
    const project = await prepared();
    const body = {
      project_id: project.id,
      new_environment: "pr-7",
      base_from: "staging",
      type: "preview",
      expires_in: "1h",
      source_ref: "#7",
    };
    const first = await send<Created>({ method: "POST", path: "/env/create", body }, { "idempotency-key": "pr-7@abc" });
    const again = await send<Created>({ method: "POST", path: "/env/create", body }, { "idempotency-key": "pr-7@abc" });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body).toEqual(first.body);
    const next = await send<Created>({ method: "POST", path: "/env/create", body }, { "idempotency-key": "pr-7@def" });
    expect(next).toMatchObject({ status: 200, body: { status: "env_updated", revision: 2 } });
  });

  test("that is none is refused, and nothing changes", async () => {
    const project = await prepared();
    const { records } = await project.verify();
    for (const key of ["", "two words", "x".repeat(256)]) {
      const reply = await send(
        { method: "PATCH", path: project.path("staging", "state"), body: { set: { "flows/c": {} } } },
        { "idempotency-key": key },
      );
      expectError(reply, 400, "invalid_request");
    }
    expect(await project.verify()).toMatchObject({ records });
  });

  test("does not keep what is revealed", async () => {
    const project = await prepared();
    const key = newKey();
    const reveal: Sent = { method: "POST", path: project.path("staging", "secrets", "reveal"), body: {} };
    expect((await send(reveal, key)).body).toMatchObject({ secrets: { API_KEY: "sk-1" } });
    await project.patchConfig("staging", { secrets: { API_KEY: "sk-2" } });
    expect((await send(reveal, key)).body).toMatchObject({ secrets: { API_KEY: "sk-2" } });
  });
});
