import { describe, expect, test } from "vitest";
import { EVERY, type ExtraRight, type Grant, ROLES, SOME } from "../../src/access.ts";
import { ACCESS, type Access, accessOf, type OperationId } from "../../src/http/rights.ts";
import { SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import { caller, documents, Project } from "../domain/support.ts";
import type { Answer } from "../http/support.ts";
import { built, type Ending, type Made, type Place, projectAt, targetOf, VERSION } from "./requests.ts";
import { grant, openAccess, pass, ROOT, type Served, serveTo, strangersToken, type Access as World } from "./support.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

/** Every route, asked by every kind of token for what it reaches and for what it does not, and judged by the table of rights. */

interface Operation {
  readonly id: OperationId;
  readonly method: string;
  readonly template: string;
}

interface Seeded extends World, Served {
  readonly made: Made;
  readonly operations: readonly Operation[];
}

const SEEDER = caller("seeder");

/** What every operation needs to succeed, once for each ending: in a project that the token reaches and in one that it does not. */
async function seedProject(world: World, ending: Ending): Promise<readonly [string, string]> {
  const project = new Project(world.domain, { id: projectAt(ending), as: SEEDER });
  await project.create("stg-own", { env_variables: { REGION: "eu", API_KEY: "sk-of-the-walk" } });
  const components = { "flows/a": { v: 1 }, "requires/beta": { kind: "flag", default: true } };
  await project.set("stg-own", components, { version: VERSION });
  await project.create("stg-far", { base: "stg-own" });
  for (const which of ["own", "far"]) {
    for (const what of ["prd", "arc", "apr", "rej", "src"]) await project.create(`${what}-${which}`, { base: "stg-own" });
    await project.create(`pre-${which}`, { base: "stg-own", type: "preview", expires_in: "1h" });
  }
  await project.set("src-own", { "flows/d": { v: 1 } });
  await project.policy({ environments: { "apr-own": { approvals: 1 }, "rej-own": { approvals: 1 } } });
  const waiting = [await project.promote("src-own", "apr-own"), await project.promote("src-own", "rej-own")];
  return [waiting[0]?.promotion_id ?? "", waiting[1]?.promotion_id ?? ""];
}

async function seed(): Promise<Seeded> {
  const world = await openAccess();
  const promotions = { own: await seedProject(world, "own"), far: await seedProject(world, "far") };
  const token = async (projects: string) =>
    world.domain.tokens.create(ROOT, { name: "victim", role: "client", projects: [projects], envs: ["stg-own"] });
  const tokens = { own: (await token("pf-own")).id, far: (await token("pf-far")).id, nil: "0".repeat(16) };
  const made = { tokens, promotions: { ...promotions, nil: promotions.far }, token: (await token("pf-own")).token };
  const served = await serveTo(world.domain);
  return { ...world, ...served, made, operations: operationsIn(await served.as(null, "/openapi.json")) };
}

function operationsIn({ body }: Answer): readonly Operation[] {
  const paths = body.paths as Readonly<Record<string, Readonly<Record<string, { readonly operationId: OperationId }>>>>;
  const found = Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, { operationId: id }]) => ({ id, method: method.toUpperCase(), template })),
  );
  // In the table's order: what makes something comes before what takes it away.
  const order = Object.keys(ACCESS);
  return found.sort((left, right) => order.indexOf(left.id) - order.indexOf(right.id));
}

const TOKEN_OPERATIONS: readonly OperationId[] = ["createToken", "getToken", "rotateToken", "revokeToken"];

/** All places that make a difference to an operation: its own, the other project, and each environment that it names by itself. */
function placesOf(id: OperationId): readonly Place[] {
  const access = accessOf(id);
  const needs = typeof access === "string" ? [] : access.needs;
  const slots = needs.filter(({ env }) => typeof env === "string" && env !== EVERY);
  const hasProject = needs.some(({ project }) => typeof project === "string" && project !== EVERY) || TOKEN_OPERATIONS.includes(id);
  return [
    { project: "own" },
    ...(hasProject ? ([{ project: "far" }] as const) : []),
    ...slots.map((_, slot): Place => ({ project: "own", envs: slots.map((__, other) => (other === slot ? "far" : "own")) })),
  ];
}

const OPERATIONS = Object.keys(ACCESS) as OperationId[];
const PLACES = OPERATIONS.reduce((sum, id) => sum + placesOf(id).length, 0);

const toNil = ({ project, envs = [] }: Place): Place => ({
  project: project === "far" ? "nil" : project,
  envs: envs.map((ending) => (ending === "far" ? "nil" : ending)),
});

/** The table, and what it leaves to be found out about tokens: nobody gives or sees more than they administer. */
function expected(who: Grant, id: OperationId, place: Place, made: Made): Verdict | { readonly missing: "token_not_found" } {
  const verdict = verdictOf(who, accessOf(id), built(id, place, made));
  const isForeign = TOKEN_OPERATIONS.includes(id) && place.project === "far" && !who.projects.includes("*");
  if (verdict !== "allowed" || !isForeign) return verdict;
  return id === "createToken" ? "forbidden" : { missing: "token_not_found" };
}

async function send({ as, made }: Seeded, token: string | null, { id, method, template }: Operation, place: Place): Promise<Answer> {
  const request = built(id, place, made);
  return as(token, { method, path: targetOf(template, request), body: request.body, headers: { "x-request-id": "walk" } });
}

/** All that a reply tells, but for what time it is. */
function toldBy({ status, headers, text }: Answer, rename: (text: string) => string = (same) => same) {
  const { date: _, ...others } = headers;
  return { status, headers: others, text: rename(text) };
}

/** What a refused request must leave as it is. */
async function stateOf({ store }: Seeded) {
  return {
    projects: await store.revision([projectAt("own"), projectAt("far"), projectAt("nil")]),
    tokens: await documents(store, SYSTEM_PARTITION, systemKeys.tokenPrefix),
  };
}

/** OFREP's errors have no code of the engine's: those say in words what is wrong. */
function codeIn({ body }: Answer, { template }: Operation): unknown {
  if (!template.startsWith("/ofrep/")) return body.code;
  expect(Object.keys(body).filter((member) => !["key", "errorCode", "errorDetails"].includes(member))).toEqual([]);
  expect(body.errorDetails).toEqual(expect.any(String));
  return undefined;
}

const describeIt = ({ id }: Operation, place: Place) => `${id} at ${JSON.stringify(place)}`;

const VARIANTS: readonly (readonly [string, readonly ExtraRight[]])[] = [
  [" ", []],
  [" with secrets:reveal ", ["secrets:reveal"]],
];
const REACHES: Readonly<Record<string, readonly [projects: string[], envs: string[]]>> = {
  "some environments of one project": [["pf-own"], ["*-own"]],
  "one project": [["pf-own"], ["*"]],
  everything: [["*"], ["*"]],
};
const KINDS = ROLES.flatMap((role) =>
  VARIANTS.filter(([, rights]) => role !== "client" || rights.length === 0).flatMap(([words, rights]) =>
    Object.entries(REACHES).map(([reach, [projects, envs]]) => ({
      who: grant(role, projects, envs, rights),
      words: `${role}${words}for ${reach}`,
    })),
  ),
);

describe("a walk over every route", () => {
  test.each(KINDS)("as $words", async ({ who }) => {
    const world = await seed();
    const { token } = await world.domain.tokens.create(ROOT, { name: "walker", ...who });
    const { token: all } = await world.domain.tokens.create(ROOT, { name: "all", ...grant("admin", ["*"], ["*"], ["secrets:reveal"]) });
    const asked = world.operations.flatMap((operation) => placesOf(operation.id).map((place) => ({ operation, place })));
    // At home first, while everything is as it was made.
    const isHome = ({ place }: (typeof asked)[number]) => place.project === "own" && place.envs === undefined;
    let walked = 0;
    for (const { operation, place } of [...asked.filter(isHome), ...asked.filter((one) => !isHome(one))]) {
      const verdict = expected(who, operation.id, place, world.made);
      const before = await stateOf(world);
      const answer = await send(world, token, operation, place);
      const told = `${describeIt(operation, place)}: ${answer.status} ${answer.text.slice(0, 500)}`;
      walked++;
      if (verdict === "allowed") {
        // Nobody made a webhook that could be asked for: to be told so is to have been let in.
        const isNamedByNobody =
          operation.id.endsWith("Webhook") || ["listDeliveries", "deleteGitSource", "getMirror", "removeMirror"].includes(operation.id);
        // A push shows no token: its signature is what lets it in, and this one has none.
        const statuses = operation.id === "takePush" ? [401] : isNamedByNobody ? [200, 201, 404] : [200, 201, 202];
        expect(isHome({ operation, place }) ? statuses : [...statuses, 409], told).toContain(answer.status);
        continue;
      }
      expect(await stateOf(world), told).toEqual(before);
      if (verdict === "forbidden") {
        expect([answer.status, codeIn(answer, operation)], told).toEqual([403, "forbidden"]);
        continue;
      }
      expect([answer.status, codeIn(answer, operation) ?? verdict.missing], told).toEqual([404, verdict.missing]);
      const rename = (text: string) => text.replaceAll("-far", "-nil").replaceAll(world.made.tokens.far, world.made.tokens.nil);
      const missing = toldBy(await send(world, token, operation, toNil(place)));
      expect(toldBy(answer, rename), told).toEqual(missing);
      // Whoever may see everything is told just that of what there is not.
      expect(missing, told).toEqual(toldBy(await send(world, all, operation, toNil(place))));
    }
    expect(walked).toBe(PLACES);
    expect(world.failures).toEqual([]);
  });

  test("goes everywhere, and is let in, turned away and shown nothing often enough to tell", () => {
    expect(KINDS).toHaveLength(11 * 3);
    expect(OPERATIONS.length).toBeGreaterThanOrEqual(49);
    expect(PLACES).toBeGreaterThanOrEqual(2 * OPERATIONS.length);
    const made: Made = {
      tokens: { own: "own", far: "far", nil: "nil" },
      promotions: { own: ["1", "2"], far: ["3", "4"], nil: ["5", "6"] },
      token: "token",
    };
    const verdicts = KINDS.flatMap(({ who }) => OPERATIONS.flatMap((id) => placesOf(id).map((place) => expected(who, id, place, made))));
    expect(verdicts).toHaveLength(KINDS.length * PLACES);
    const counts = ["allowed", "forbidden"].map((word) => verdicts.filter((verdict) => verdict === word).length);
    for (const count of [...counts, verdicts.length - (counts[0] ?? 0) - (counts[1] ?? 0)]) expect(count).toBeGreaterThan(500);
  });
});

describe("without a token that holds, nothing but what is open to all", () => {
  test.each(["none", "garbage", "another's id", "a stranger's", "an expired", "a revoked", "a rotated"])("with %s", async (kind) => {
    const world = await seed();
    const { tokens } = world.domain;
    const everything = { name: "walker", ...grant("admin", ["*"], ["*"], ["secrets:reveal"]) };
    const [gone, ended, changed, held] = await Promise.all([
      tokens.create(ROOT, everything),
      tokens.create(ROOT, { ...everything, expires_in: "1m" }),
      tokens.create(ROOT, everything),
      tokens.create(ROOT, everything),
    ]);
    await tokens.revoke(ROOT, gone.id);
    await tokens.rotate(ROOT, changed.id, { overlap: "0s" });
    pass(world.clock, "1m");
    const shown: Readonly<Record<string, string | null>> = {
      none: null,
      garbage: "garbage",
      "another's id": `envm_${held.id}_${"A".repeat(43)}`,
      "a stranger's": strangersToken(),
      "an expired": ended.token,
      "a revoked": gone.token,
      "a rotated": changed.token,
    };
    const before = await stateOf(world);
    let walked = 0;
    for (const operation of world.operations) {
      for (const project of ["own", "far", "nil"] as const) {
        const answer = await send(world, shown[kind] ?? null, operation, { project });
        const told = `${describeIt(operation, { project })}: ${answer.status} ${answer.text.slice(0, 500)}`;
        walked++;
        if (accessOf(operation.id) === "open") {
          expect(answer.status, told).toBe(operation.id === "takePush" ? 401 : 200);
          continue;
        }
        expect([answer.status, codeIn(answer, operation) ?? "unauthorized", answer.headers["www-authenticate"]], told).toEqual([
          401,
          "unauthorized",
          'Bearer realm="environment-manager"',
        ]);
        expect(answer.text.includes("pf-") || answer.text.includes("-own"), told).toBe(false);
      }
    }
    expect(walked).toBe(OPERATIONS.length * 3);
    expect(await stateOf(world)).toEqual(before);
  });
});

describe("the table of rights", () => {
  test("names every route that is served, and no other", async () => {
    const { operations } = await seed();
    expect(operations.map(({ id }) => id)).toEqual(OPERATIONS);
    expect(new Set(operations.map(({ method, template }) => `${method} ${template}`)).size).toBe(operations.length);
  });

  test("says of each route which need a token, as the served document does", async () => {
    const { as } = await seed();
    const { paths } = (await as(null, "/openapi.json")).body as {
      readonly paths: Readonly<
        Record<string, Readonly<Record<string, { readonly operationId: OperationId; readonly security?: unknown }>>>
      >;
    };
    const open = Object.values(paths)
      .flatMap((methods) => Object.values(methods))
      .filter(({ security }) => security !== undefined);
    expect(open.map(({ security }) => security)).toEqual(open.map(() => []));
    expect(open.map(({ operationId }) => operationId).sort()).toEqual(OPERATIONS.filter((id) => accessOf(id) === "open").sort());
    expect(OPERATIONS.filter((id) => accessOf(id) === "open").sort()).toEqual([
      "getAuditKeys",
      "getHealth",
      "getMetrics",
      "getOpenApi",
      "getReadiness",
      "openSession",
      "takePush",
    ]);
  });

  // What the path and the query name is judged before the body is read: a need of both would never be judged.
  test("has no need of which one part is in the body and the other is not", () => {
    const guarded = OPERATIONS.map((id): Access => accessOf(id)).filter((access) => typeof access !== "string");
    for (const { project, env } of guarded.flatMap(({ needs }) => needs)) {
      const parts = [project, env].filter((at) => at !== SOME && at !== EVERY).map((at) => String(at).startsWith("body."));
      expect(new Set(parts).size, `${String(project)} and ${String(env)}`).toBeLessThanOrEqual(1);
    }
  });

  // The walk takes the table at its word: this is that word, once more, so that a weaker one is no slip of the pen.
  test("asks for no less than it always did", () => {
    const rights: Readonly<Record<string, string>> = {
      edit: "createEnvironment archiveEnvironment restoreEnvironment holdEnvironment resumeEnvironment extendEnvironment replaceState patchState replaceFlags patchConfig rollback pull",
      reveal: "getRuntime revealSecrets",
      evaluate: "watchEnvironment evaluateFlag evaluateFlags",
      promote: "promote",
      approve: "approvePromotion rejectPromotion",
      report: "reportDeployment",
      administer:
        "replacePolicy createToken listTokens getToken rotateToken revokeToken listAccessAudit verifyAccessAudit createWebhook listWebhooks getWebhook patchWebhook deleteWebhook rotateWebhook pingWebhook listDeliveries putGitSource deleteGitSource setMirror getMirror removeMirror",
    };
    const everywhere =
      "getPolicy replacePolicy verifyAudit exportAudit listAccessAudit verifyAccessAudit listSinks createWebhook listWebhooks getWebhook patchWebhook deleteWebhook rotateWebhook pingWebhook listDeliveries setMirror getMirror removeMirror".split(
        " ",
      );
    for (const id of OPERATIONS) {
      const access: Access = accessOf(id);
      if (typeof access === "string") continue;
      const [right = "read"] = Object.entries(rights).find(([, ids]) => ids.split(" ").includes(id)) ?? [];
      expect(
        access.needs.map((need) => need.right).filter((need) => need !== "read"),
        id,
      ).toEqual(right === "read" ? [] : [right]);
      expect(
        access.needs.some(({ env }) => env === EVERY),
        id,
      ).toBe(everywhere.includes(id));
    }
    expect(OPERATIONS.filter((id) => accessOf(id) === "anybody")).toEqual(["getSession", "closeSession"]);
  });
});

/** Ways to what `pf-own` and `*-own` do not reach. */
const PATHS: readonly string[] = [
  "/env/pf-own/../pf-far",
  "/env/pf-own/..%2fpf-far",
  "/env/pf-own%2f..%2fpf-far",
  "/env/./pf-far",
  "/env//pf-far",
  "//env/pf-far",
  "/env/pf-far/",
  "/ENV/pf-far",
  "/env/PF-FAR",
  "/env/pf-far%00",
  "/env/pf-far%20",
  "/env/%70%66%2d%66%61%72",
  "/env/pf-far;pf-own",
  "/env/pf-own%00pf-far",
  "/env/pf-far?project=pf-own",
  "/env/pf-far#pf-own",
  "/env/pf-f*",
  "/env/*",
  "/env/%2a",
  "/env/pf-own/*",
  "/env/pf-own/stg-f*",
  "/env/pf-own/stg-far%2f..%2fstg-own",
  "/env/pf-own/STG-FAR",
  "/env/pf-own/stg-far/../stg-far/state",
  "/env/pf-own/stg-own%2f..%2fstg-far/state",
  "/env/compare?project_id=pf-own&left=stg-own&right=stg-far@1",
  "/env/compare?project_id=pf-own&left=stg-own&right=@stg-far",
  "/env/compare?project_id=pf-own&project_id=pf-far&left=stg-own&right=stg-own",
  "/env/compare?project_id=pf-own&left=stg-own&right=stg-own&right=stg-far",
  "/env/compare?project_id[]=pf-far&left=stg-own&right=stg-own",
  "/env/pf-own/prd-own/readiness?source=stg-far",
  "/env/pf-own/prd-own/readiness?source=stg-own&source=stg-far",
  "/env/pf-own/promotions?project_id=pf-far",
];

describe("said in another way, a request reaches no more", () => {
  async function narrow() {
    const world = await seed();
    const { token } = await world.domain.tokens.create(ROOT, { name: "n", ...grant("admin", ["pf-own"], ["*-own"], ["secrets:reveal"]) });
    return { world, token };
  }

  test("by HEAD: the status that GET has, and no body", async () => {
    const { world, token } = await narrow();
    const reads = world.operations.filter(({ method, id }) => method === "GET" && !/^(getHealth|getOpenApi)$/.test(id));
    expect(reads.length).toBeGreaterThan(20);
    for (const operation of reads) {
      for (const place of placesOf(operation.id)) {
        const [got, head] = [await send(world, token, operation, place), await send(world, token, { ...operation, method: "HEAD" }, place)];
        expect([head.status, head.text], describeIt(operation, place)).toEqual([got.status, ""]);
      }
    }
  });

  test.each(["OPTIONS", "TRACE", "QUERY", "PURGE"])("by %s, which nothing takes", async (method) => {
    const { world, token } = await narrow();
    const before = await stateOf(world);
    for (const operation of world.operations) {
      for (const project of ["own", "far"] as const) {
        const { status } = await send(world, token, { ...operation, method }, { project });
        expect([400, 405], operation.id).toContain(status);
      }
    }
    expect(await stateOf(world)).toEqual(before);
  });

  test("by the path", async () => {
    const { world, token } = await narrow();
    const before = await stateOf(world);
    for (const path of PATHS) {
      const { status, text } = await world.as(token, path);
      expect([400, 403, 404], `${path}: ${text}`).toContain(status);
    }
    expect(await stateOf(world)).toEqual(before);
  });

  test("by a star in place of a name, which looks as any name does that there is not", async () => {
    const { world, token } = await narrow();
    const asked = async (name: string, { method = "GET", path, body }: { method?: string; path: string; body?: string }) => {
      const headers = { "x-request-id": "star", ...(body !== undefined && { "content-type": "application/json" }) };
      const named = body === undefined ? {} : { body: body.replace("<name>", name) };
      return toldBy(await world.as(token, { method, path: path.replace("<name>", name), headers, ...named }), (text) =>
        text.replaceAll(name, "<name>"),
      );
    };
    for (const question of [
      { path: "/env/<name>" },
      { path: "/env/<name>/policy" },
      { path: "/env/<name>/stg-own" },
      { path: "/env/pf-own/<name>" },
      { path: "/env/pf-own/<name>/config" },
      { path: "/env/pf-own/prd-own/readiness?source=<name>" },
      { method: "POST", path: "/env/hold", body: '{"project_id":"<name>","env":"stg-own"}' },
      { method: "POST", path: "/env/hold", body: '{"project_id":"pf-own","env":"<name>"}' },
    ]) {
      const [star, missing] = [await asked("*", question), await asked("Z", question)];
      expect(star, JSON.stringify(question)).toEqual(missing);
      expect(star.status, JSON.stringify(question)).toBe(404);
    }
  });

  test("by a body that names more than one", async () => {
    const { world, token } = await narrow();
    const before = await stateOf(world);
    for (const body of [
      '{"project_id":"pf-own","project_id":"pf-far","env":"stg-own"}',
      '{"project_id":"pf-far","project_id":"pf-own","env":"stg-own"}',
      '{"project_id":"pf-own","env":["stg-own","stg-far"]}',
      '{"project_id":["pf-own","pf-far"],"env":"stg-own"}',
      '{"project_id":"pf-own","env":"stg-own","project":"pf-far"}',
      '{"__proto__":{"project_id":"pf-own"},"project_id":"pf-far","env":"stg-own"}',
      '{"project_id":"*","env":"stg-own"}',
      '{"project_id":"pf-own","env":"*"}',
      '{"project_id":"pf-own","env":"stg-f*"}',
      '{"project_id":"pf-own","env":"stg-far@1"}',
      '{"project_id":"pf-own","env":"stg-own@stg-far"}',
      '{"project_id":"pf-own@","env":"stg-own"}',
      '{"project_id":"pf-own@pf-far","env":"stg-own"}',
      '{"project_id":"pf-own","env":""}',
      '{"env":"stg-own"}',
      "{}",
      "[]",
      '"pf-own"',
    ]) {
      const { status, text } = await world.as(token, {
        method: "POST",
        path: "/env/hold",
        body,
        headers: { "content-type": "application/json" },
      });
      expect([400, 403, 404], `${body}: ${text}`).toContain(status);
    }
    expect(await stateOf(world)).toEqual(before);
  });
});
