import { beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { Project } from "../domain/support.ts";
import { bucketOf } from "../flagd/murmur3.ts";
import type { Answer } from "../http/support.ts";
import { BULK, FLAGS, openFlags } from "./support.ts";

type World = Awaited<ReturnType<typeof openFlags>>;

const PRO = { context: { targetingKey: "u1", plan: "pro", email: "ann@example.com" } };
const METADATA = { metadata: { flagSetId: "shop" } };

describe("one flag", () => {
  test.each([
    ["plain", {}, { reason: "STATIC", value: true, variant: "on", ...METADATA }],
    ["beta", PRO, { reason: "TARGETING_MATCH", value: true, variant: "on", metadata: { flagSetId: "shop", owner: "ann" } }],
    [
      "beta",
      { context: { plan: "free" } },
      { reason: "DEFAULT", value: false, variant: "off", metadata: { flagSetId: "shop", owner: "ann" } },
    ],
    ["staff", PRO, { reason: "TARGETING_MATCH", value: true, variant: "on", ...METADATA }],
    ["gone", PRO, { reason: "DISABLED", ...METADATA }],
    ["undecided", PRO, { reason: "DEFAULT", ...METADATA }],
    ["limits", PRO, { reason: "STATIC", value: { seats: 5, tags: ["x"] }, variant: "small", ...METADATA }],
    ["rate", PRO, { reason: "STATIC", value: 0.5, variant: "low", ...METADATA }],
  ])("%s, asked with %j", async (key, body, result) => {
    const { send } = await openFlags();
    const { status, body: reply, headers } = await send(`${BULK}/${key}`, body);
    expect({ status, reply }).toEqual({ status: 200, reply: { key, ...result } });
    expect(headers["cache-control"]).toBe("no-store");
    expect(headers.etag).toBeUndefined();
  });

  test("is divided by targeting key as flagd divides it", async () => {
    const { send } = await openFlags();
    for (const targetingKey of ["u1", "u2", "josé", "u4"]) {
      const { body } = await send(`${BULK}/headline`, { context: { targetingKey } });
      expect(body).toMatchObject({
        variant: bucketOf(`headline${targetingKey}`, [
          ["a", 50],
          ["b", 50],
        ]),
        reason: "TARGETING_MATCH",
      });
    }
    expect((await send(`${BULK}/headline`, { context: {} })).body).toMatchObject({ variant: "a", reason: "DEFAULT" });
  });

  test.each([
    ["nope", PRO, 404, "FLAG_NOT_FOUND"],
    ["constructor", PRO, 404, "FLAG_NOT_FOUND"],
    ["broken", PRO, 400, "GENERAL"],
    ["beta", { context: { targetingKey: 5 } }, 400, "INVALID_CONTEXT"],
    ["beta", { context: "me" }, 400, "INVALID_CONTEXT"],
    ["beta", { context: [] }, 400, "INVALID_CONTEXT"],
    ["beta", { context: { text: "x".repeat(LIMITS.contextBytes) } }, 400, "INVALID_CONTEXT"],
    ["beta", { context: { list: Array(LIMITS.contextElements + 1).fill(1) } }, 400, "INVALID_CONTEXT"],
    ["beta", '{"context":', 400, "PARSE_ERROR"],
    ["beta", "[]", 400, "GENERAL"],
  ])("%s, asked with what cannot be used: %#", async (key, body, status, errorCode) => {
    const { send } = await openFlags();
    const answer = await send(`${BULK}/${key}`, body);
    expect({ status: answer.status, body: answer.body }).toEqual({
      status,
      body: { key, errorCode, errorDetails: expect.stringMatching(/\w/) },
    });
  });

  test("without a body, and with an empty one, the context is empty", async () => {
    const { send } = await openFlags();
    const result = { status: 200, body: { key: "plain", value: true } };
    expect(await send(`${BULK}/plain`)).toMatchObject(result);
    expect(await send(`${BULK}/plain`, {})).toMatchObject(result);
    expect(await send(`${BULK}/plain`, { context: {}, somethingNew: 1 })).toMatchObject(result);
  });
});

describe("all flags", () => {
  let world: World;
  beforeEach(async () => {
    world = await openFlags();
  });

  test("come in one reply, those that fail among them", async () => {
    const { status, body } = await world.send(BULK, PRO);
    expect(status).toBe(200);
    const { flags, metadata, ...others } = body as { flags: { key: string; errorCode?: string }[]; metadata: unknown };
    expect(flags.map(({ key }) => key).sort()).toEqual(Object.keys(FLAGS).sort());
    expect(flags.filter(({ errorCode }) => errorCode !== undefined)).toEqual([
      { key: "broken", errorCode: "GENERAL", errorDetails: expect.any(String) },
    ]);
    expect(metadata).toEqual({ flagSetId: "shop" });
    expect(Object.keys(others).filter((member) => member !== "eventStreams")).toEqual([]);
    for (const { key, ...flag } of flags) {
      if (key !== "broken") expect((await world.send(`${BULK}/${key}`, PRO)).body).toEqual({ key, ...flag });
    }
  });

  test("are not sent again to whoever has them, and are to whoever asks with another context", async () => {
    const first = await world.send(BULK, PRO);
    const tag = String(first.headers.etag);
    expect(tag).toMatch(/^"[^"]+"$/);
    const same = await world.send(BULK, PRO, { "if-none-match": tag });
    expect({ status: same.status, text: same.text, tag: same.headers.etag }).toEqual({ status: 304, text: "", tag });
    for (const header of [`W/${tag}`, `"other", W/${tag}`, `"a",${tag},"b"`]) {
      expect((await world.send(BULK, PRO, { "if-none-match": header })).status, header).toBe(304);
    }
    expect((await world.send(BULK, PRO, { "if-none-match": '"other"' })).status).toBe(200);
    const other = await world.send(BULK, { context: { ...PRO.context, plan: "free" } }, { "if-none-match": tag });
    expect(other.status).toBe(200);
    expect(other.headers.etag).not.toBe(tag);
  });

  test("have another tag when a flag changes, and the same when something else does", async () => {
    const { send, project } = await openFlags();
    const tagNow = async () => (await send(BULK, PRO)).headers.etag;
    const before = await tagNow();
    await project.configure("staging", { vars: { REGION: "eu" } });
    expect(await tagNow()).toBe(before);
    await project.configure("staging", { flags: { plain: false } });
    const after = await tagNow();
    expect(after).not.toBe(before);
    expect((await send(BULK, PRO, { "if-none-match": String(before) })).status).toBe(200);
    await project.configure("staging", { evaluators: { staff: { ends_with: [{ var: "email" }, "@example.org"] } } });
    expect(await tagNow()).not.toBe(after);
  });

  test("of which one reads the clock have a tag that follows what comes out", async () => {
    const { send, project } = await openFlags();
    const since = (second: number) => ({
      state: "ENABLED" as const,
      variants: { on: true, off: false },
      defaultVariant: "off",
      targeting: { if: [{ ">": [{ var: "$flagd.timestamp" }, second] }, "on"] },
    });
    await project.configure("staging", { flags: { launch: since(1) } });
    const tag = String((await send(BULK, PRO)).headers.etag);
    expect((await send(BULK, PRO, { "if-none-match": tag })).status).toBe(304);
    // The same answer by another rule: what is shown has not changed.
    await project.configure("staging", { flags: { launch: since(2) } });
    expect((await send(BULK, PRO, { "if-none-match": tag })).status).toBe(304);
    await project.configure("staging", { flags: { launch: since(9_999_999_999) } });
    expect((await send(BULK, PRO, { "if-none-match": tag })).status).toBe(200);
  });

  test("include the platform's defaults for what the environment does not bind", async () => {
    const { send, project } = await openFlags();
    await project.set("staging", { "requires/plain": { kind: "flag", default: false }, "requires/fresh": { kind: "flag", default: true } });
    expect((await send(`${BULK}/fresh`)).body).toMatchObject({ value: true, reason: "STATIC" });
    expect((await send(`${BULK}/plain`)).body).toMatchObject({ value: true });
  });

  test.each([
    ["a context that is none", { context: 5 }, 400, { errorCode: "INVALID_CONTEXT" }],
    ["a context that is too large", { context: { a: "x".repeat(LIMITS.contextBytes) } }, 400, { errorCode: "INVALID_CONTEXT" }],
    ["a body that is too large", { context: { a: "x".repeat(LIMITS.bodyBytes) } }, 413, { errorCode: "GENERAL" }],
    ["a body that is no JSON", "{", 400, { errorCode: "PARSE_ERROR" }],
  ])("asked with %s: an error of OFREP's shape, without a key", async (_, body, status, told) => {
    const answer = await world.send(BULK, body);
    expect({ status: answer.status, body: answer.body }).toEqual({ status, body: { ...told, errorDetails: expect.stringMatching(/\w/) } });
  });
});

describe("the environment", () => {
  let world: World;
  beforeEach(async () => {
    world = await openFlags();
  });

  test("is named in the address, where the token reaches more than one", async () => {
    const { ask, tokenFor, project } = world;
    const headers = { authorization: `Bearer ${await tokenFor({ role: "client", projects: [project.id], envs: ["*"] })}` };
    const at = (query: string) => ask({ method: "POST", path: `${BULK}/plain${query}`, headers, body: {} });
    expect(await at(`?project_id=${project.id}&env=staging`)).toMatchObject({ status: 200, body: { value: true } });
    expect(await at(`?project_id=${project.id}&env=production`)).toMatchObject({ status: 404, body: { errorCode: "FLAG_NOT_FOUND" } });
    expect(await at(`?project_id=${project.id}&env=staging&flagConfigEtag=x&flagConfigLastModified=5`)).toMatchObject({ status: 200 });
    expect(await at("")).toMatchObject({
      status: 400,
      body: { errorCode: "GENERAL", errorDetails: expect.stringContaining("project_id") },
    });
    expect(await at("?env=staging")).toMatchObject({
      status: 400,
      body: { errorCode: "GENERAL", errorDetails: expect.stringContaining("together") },
    });
  });

  test("that there is not, and that the token does not reach, look the same", async () => {
    const { send, project } = world;
    const [hidden, missing] = await Promise.all([
      send(`${BULK}?project_id=${project.id}&env=production`, {}),
      send(`${BULK}?project_id=${project.id}&env=nowhereyet`, {}),
    ]);
    expect(hidden.status).toBe(404);
    expect(missing.text.replaceAll("nowhereyet", "production")).toBe(hidden.text);
    const other = new Project(world.domain, { id: "pf-other", as: project.caller });
    await other.create("staging");
    const foreign = await send(`${BULK}?project_id=pf-other&env=staging`, {});
    const none = await send(`${BULK}?project_id=pf-nones&env=staging`, {});
    expect(none.text.replaceAll("pf-nones", "pf-other")).toBe(foreign.text);
  });
});

describe("who asks", () => {
  let world: World;
  beforeEach(async () => {
    world = await openFlags();
  });

  test("shows a token as Bearer, or as X-API-Key", async () => {
    const { ask, token } = world;
    const evaluate = (headers: Record<string, string>) => ask({ method: "POST", path: `${BULK}/plain`, headers, body: {} });
    expect((await evaluate({ "x-api-key": token })).status).toBe(200);
    expect((await evaluate({ "X-API-Key": "nonsense" })).status).toBe(401);
    expect((await evaluate({})).status).toBe(401);
    expect((await evaluate({ authorization: `Bearer ${token}`, "x-api-key": "nonsense" })).status).toBe(200);
  });

  test("X-API-Key opens nothing else", async () => {
    const { ask, tokenFor, project } = world;
    const key = await tokenFor({ role: "admin", projects: ["*"], envs: ["*"] });
    expect((await ask({ path: `/env/${project.id}/staging/config`, headers: { "x-api-key": key } })).status).toBe(401);
  });

  test("a client may evaluate flags, and nothing else", async () => {
    const { ask, token, project } = world;
    const headers = { authorization: `Bearer ${token}` };
    for (const path of [
      `/env/${project.id}/staging/config`,
      `/env/${project.id}/staging/flags`,
      `/env/${project.id}/staging/runtime`,
      `/env/${project.id}`,
    ]) {
      expect((await ask({ path, headers })).status, path).toBe(403);
    }
  });

  test("without a token that holds: 401 in OFREP's shape", async () => {
    const answer = await world.send(BULK, {}, { authorization: "Bearer nonsense" });
    expect({ status: answer.status, body: answer.body }).toEqual({ status: 401, body: { errorDetails: expect.stringMatching(/token/) } });
    expect(answer.headers["www-authenticate"]).toBeDefined();
  });

  test("too often: 429 in OFREP's shape, with Retry-After", async () => {
    const { send } = await openFlags({ perToken: 1 });
    const answers = await Promise.all(Array.from({ length: LIMITS.burstSeconds + 5 }, () => send(BULK, {})));
    const answer = answers.find(({ status }) => status === 429) ?? (answers[0] as Answer);
    expect({ status: answer.status, body: answer.body }).toEqual({ status: 429, body: { errorDetails: expect.stringMatching(/Wait/) } });
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
  });

  test("with another method, or elsewhere below /ofrep: OFREP's shape too", async () => {
    const { ask, token } = world;
    const headers = { authorization: `Bearer ${token}` };
    expect(await ask({ path: BULK, headers })).toMatchObject({ status: 405, body: { errorCode: "GENERAL" } });
    expect(await ask({ method: "POST", path: "/ofrep/v2/evaluate", headers })).toMatchObject({
      status: 404,
      body: { errorCode: "GENERAL" },
    });
  });
});
