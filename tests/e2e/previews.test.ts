import { describe, expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { expectError, Project, succeeded } from "../support/project.ts";

const engine = useEngine();
const BOUND_MS = 20_000;

interface Preview {
  readonly status: string;
  readonly revision: number;
  readonly linked_version: string;
  readonly expires_at: string;
}

async function developed(): Promise<Project> {
  const project = new Project(engine, "previews");
  await project.create("development", { env_variables: { REGION: "eu" } });
  await project.putState("development", { entities: { Order: {} } });
  return project;
}

const ask = (project: Project, more: object = {}) =>
  engine.request<Preview>("POST", "/env/create", {
    project_id: project.id,
    new_environment: "pr-142",
    base_from: "development",
    type: "preview",
    ...more,
  });

const turn = (project: Project, what: "extend" | "restore", more: object = {}) =>
  engine.request<Preview>("POST", `/env/${what}`, { project_id: project.id, env: "pr-142", ...more });

const secondAhead = () => new Date(Date.now() + 1_000).toISOString();
const hoursFromNow = (text: string) => (Date.parse(text) - Date.now()) / 3_600_000;

/** Asks again and again until the answer has this status; fails with the last one where it never comes. */
async function answers(path: string, status: number): Promise<void> {
  for (const end = Date.now() + BOUND_MS; ; ) {
    const reply = await engine.get(path);
    if (reply.status === status) return;
    if (Date.now() > end) throw new Error(`GET ${path} still answers ${reply.status}: ${reply.text}`);
  }
}

/** A preview whose old end is as near as the machine allows: it has to be extended before. */
async function extendedInTime() {
  for (let ms = 1_000; ; ms *= 4) {
    const project = await developed();
    const made = await ask(project, { expires_at: new Date(Date.now() + ms).toISOString() });
    const reply = await turn(project, "extend", { expires_in: "7d", reason: "Review goes on" });
    if (ms < BOUND_MS && (made.status !== 201 || reply.status !== 200)) continue;
    return { project, expires_at: succeeded(made, 201).expires_at, extended: succeeded(reply) };
  }
}

describe("a preview", () => {
  test("is created with an end, and brought up to date by the same request", async () => {
    const project = await developed();
    const first = succeeded(await ask(project, { expires_in: "24h", source_ref: "https://git.example/pulls/142" }), 201);
    expect(first).toMatchObject({ status: "env_created", type: "preview", revision: 1 });
    expect(hoursFromNow(first.expires_at)).toBeCloseTo(24, 1);
    await project.patchConfig("pr-142", { vars: { REGION: "us" } });
    const { version } = await project.patchState("development", { set: { "entities/Note": {} } });

    const second = await ask(project, { expires_in: "72h" });
    expect(succeeded(second)).toMatchObject({ status: "env_updated", linked_version: version, revision: 3 });
    expect(second.headers.location).toBe(project.path("pr-142"));
    expect(hoursFromNow(second.body.expires_at)).toBeCloseTo(72, 1);
    expect(await project.state("pr-142")).toEqual(await project.state("development"));
    expect((await project.config("pr-142")).vars).toEqual({ REGION: "us" });
    expect(await project.read(project.path("pr-142"))).toMatchObject({ source_ref: "https://git.example/pulls/142", status: "active" });
  });

  test("that names no end ends after 72 hours, or as early as the policy demands", async () => {
    const project = await developed();
    expect(hoursFromNow(succeeded(await ask(project), 201).expires_at)).toBeCloseTo(72, 1);
    await project.putPolicy({ environments: { "type:preview": { max_ttl: "24h" } } });
    expect(hoursFromNow(succeeded(await ask(project)).expires_at)).toBeCloseTo(24, 1);
    expectError(await ask(project, { expires_in: "72h" }), 400, "invalid_request");
  });

  test.each([
    [{ expires_in: "-1h" }],
    [{ expires_in: "0h" }],
    [{ expires_in: "9999d" }],
    [{ expires_in: "soon" }],
    [{ expires_at: "2020-01-01T00:00:00Z" }],
    [{ expires_at: "tomorrow" }],
    [{ expires_at: dayThereIsNot() }],
    [{ expires_in: "1h", expires_at: "2100-01-01T00:00:00Z" }],
    [{ type: "staging", expires_in: "1h" }],
  ])("is refused with %j, and does not come into being", async (expiry) => {
    const project = await developed();
    expectError(await ask(project, expiry), 400, "invalid_request");
    expectError(await engine.get(project.path("pr-142")), 404, "environment_not_found");
  });

  test("answers 410 from its end on, and can be restored", async () => {
    const project = await developed();
    const { expires_at } = succeeded(await ask(project, { expires_at: secondAhead() }), 201);
    await answers(project.path("pr-142", "config"), 410);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expires_at));
    for (const part of ["state", "config", "runtime", "active"]) {
      expectError(await engine.get(project.path("pr-142", part)), 410, "environment_expired");
    }
    expectError(await engine.request("PATCH", project.path("pr-142", "state"), { set: { "entities/X": {} } }), 410, "environment_expired");
    expectError(await turn(project, "extend", { expires_in: "1h" }), 410, "environment_expired");
    expect(await project.read(project.path("pr-142"))).toMatchObject({ status: "expired", expires_at });

    const restored = succeeded(await turn(project, "restore", { expires_in: "1h" }));
    expect(restored).toMatchObject({ status: "restored" });
    expect(hoursFromNow(restored.expires_at)).toBeCloseTo(1, 1);
    expect(await project.state("pr-142")).toEqual({ entities: { Order: {} } });
    expect(await project.verify()).toMatchObject({ valid: true });
  });

  test("that ends while the engine is down is swept by the next one, once", async () => {
    const project = await developed();
    const { expires_at } = succeeded(await ask(project, { expires_at: secondAhead() }), 201);
    await engine.kill9();
    while (Date.now() <= Date.parse(expires_at)) await new Promise(setImmediate);
    await engine.start();
    expectError(await engine.get(project.path("pr-142", "config")), 410, "environment_expired");
    // The sweep appends its revision within seconds.
    await answers(project.path("pr-142", "revisions", "2"), 200);
    expect((await project.revisions("pr-142")).map(({ action, created_by }) => [action, created_by])).toEqual([
      ["expire", "engine"],
      ["create", "local"],
    ]);
  });

  test("is extended before its end, and outlives the old one", async () => {
    const { project, expires_at, extended } = await extendedInTime();
    expect(extended).toMatchObject({ status: "extended", revision: 1 });
    expect(hoursFromNow(extended.expires_at)).toBeCloseTo(7 * 24, 1);
    while (Date.now() <= Date.parse(expires_at)) await new Promise(setImmediate);
    expect(await project.state("pr-142")).toEqual({ entities: { Order: {} } });
    expectError(await turn(project, "extend"), 400, "invalid_request");
    expectError(await turn(project, "restore"), 409, "invalid_transition");
  });
});

test("what is no preview has no end and takes none", async () => {
  const project = await developed();
  expect(await project.read(project.path("development"))).toMatchObject({ expires_at: null });
  const extend = await engine.request("POST", "/env/extend", { project_id: project.id, env: "development", expires_in: "1h" });
  expectError(extend, 400, "invalid_request");
});

/** The 30th of the next February, which is less than a year ahead, as a preview's end has to be. */
function dayThereIsNot(): string {
  const now = new Date();
  return `${now.getUTCFullYear() + (now.getUTCMonth() < 1 ? 0 : 1)}-02-30T12:00:00Z`;
}
