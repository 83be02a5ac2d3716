import { describe, expect, test } from "vitest";
import { createClient, EnvmError, each } from "../../src/sdk/index.ts";
import { useEngine } from "../support/engine.ts";

const TOKEN = "root-token-of-the-sdk-tests";
const engine = useEngine({ token: TOKEN });
const client = () => createClient({ url: engine.url, token: TOKEN });

/** The failure of a call that must fail. */
async function failure(call: Promise<unknown>): Promise<EnvmError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof EnvmError)) throw new Error(`Expected an EnvmError, got ${String(error)}`);
  return error;
}

describe("against an engine", () => {
  test("the loop of the product: create, edit, promote, roll back", async () => {
    const { createEnvironment, patchState, patchConfig, promote, getConfig, rollback } = client();
    const project_id = "sdk-loop";
    const created = await createEnvironment({ project_id, new_environment: "staging", env_variables: { API_URL: "https://s" } });
    expect(created.status).toBe("env_created");
    await createEnvironment({ project_id, new_environment: "production", base_from: "staging" });
    await patchState({ project: project_id, env: "staging", set: { "flows/orders/submit": { steps: [1] } }, message: undefined });
    const promoted = await promote({ project_id, source_env: "staging", target_env: "production" });
    expect(promoted.status).toBe("ready_for_deploy");
    await patchConfig({ project: project_id, env: "production", vars: { API_URL: "https://p" }, flags: { "new-checkout": true } });
    expect((await getConfig({ project: project_id, env: "production" })).vars).toEqual({ API_URL: "https://p" });
    const back = await rollback({ project_id, env: "production", to: promoted.revision });
    expect(back.status).toBe("rolled_back");
    expect((await getConfig({ project: project_id, env: "production" })).vars).toEqual({ API_URL: "https://s" });
    expect((await getConfig({ project: project_id, env: "production", at: back.revision - 1 })).vars).toEqual({ API_URL: "https://p" });
  });

  test("names that hold slashes and anything else arrive as they are", async () => {
    const name = "orders/über 100%?#&+ \\ ✓";
    const { createEnvironment, patchState, getComponent } = client();
    await createEnvironment({ project_id: "sdk-names", new_environment: "dev" });
    await patchState({ project: "sdk-names", env: "dev", set: { [`flows/${name}`]: { a: 1 } } });
    const read = await getComponent({ project: "sdk-names", env: "dev", collection: "flows", name });
    expect(read).toMatchObject({ name, component: { a: 1 } });
  });

  test.each(["..", ".", ""])("a name that a URL would take for a step is refused before anything is sent: %j", async (env) => {
    expect(await failure(client().getConfig({ project: "sdk-names", env }))).toMatchObject({ code: "invalid_call", status: 0 });
  });

  test("a tag read once makes the next read a 304, and guards a write", async () => {
    const { createEnvironment, answer, patchConfig } = client();
    const at = { project: "sdk-tags", env: "dev" };
    await createEnvironment({ project_id: at.project, new_environment: at.env });
    const { etag, status, requestId } = await answer("getConfig", at);
    expect({ status, etag: etag !== null, requestId: requestId !== null }).toEqual({ status: 200, etag: true, requestId: true });
    const again = await answer("getConfig", at, { ifNoneMatch: etag ?? "" });
    expect(again).toMatchObject({ status: 304, body: null, etag });
    await patchConfig({ ...at, vars: { A: "1" }, ifMatch: etag ?? "" });
    const late = await failure(patchConfig({ ...at, vars: { A: "2" }, ifMatch: etag ?? "" }));
    expect(late).toMatchObject({ code: "precondition_failed", status: 412 });
  });

  test("a policy is given whole, and read back", async () => {
    const { createEnvironment, replacePolicy, getPolicy } = client();
    await createEnvironment({ project_id: "sdk-policy", new_environment: "dev" });
    await replacePolicy({ project: "sdk-policy", policy: { pipeline: ["dev"] } });
    expect((await getPolicy({ project: "sdk-policy" })).policy).toEqual({ pipeline: ["dev"] });
    await replacePolicy({ project: "sdk-policy", policy: {} });
  });

  test("lists are read to their end, a page at a time", async () => {
    const at = { project: "sdk-pages", env: "dev" };
    const { createEnvironment, patchConfig, listRevisions } = client();
    await createEnvironment({ project_id: at.project, new_environment: at.env });
    for (let n = 0; n < 6; n++) await patchConfig({ ...at, vars: { N: String(n) } });
    const revisions: number[] = [];
    for await (const { revision } of each(listRevisions, { ...at, limit: 2 })) revisions.push(revision);
    expect(revisions).toEqual([7, 6, 5, 4, 3, 2, 1]);
  });

  test("an export comes line by line, and may be left in the middle", async () => {
    const records = [];
    for await (const record of client().exportAudit({ project: "sdk-pages" })) records.push(record.seq);
    expect(records).toEqual(records.map((_, index) => index + 1));
    for await (const record of client().exportAudit({ project: "sdk-pages" })) {
      expect(record.seq).toBe(1);
      break;
    }
  });

  test("whoever asks is given an answer's headers before its first line, and a body's too", async () => {
    const seen: (string | null)[] = [];
    const onHeaders = (headers: Headers) => seen.push(headers.get("audit-signature"), headers.get("x-request-id"));
    for await (const { seq } of client().exportAudit({ project: "sdk-pages" }, { onHeaders })) {
      expect(seq).toBe(1);
      expect(seen).toEqual([expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/), expect.any(String)]);
      break;
    }
    await client().getPolicy({ project: "sdk-pages" }, { onHeaders });
    expect(seen.slice(2)).toEqual([null, expect.any(String)]);
  });

  test("a key that is given twice is one write", async () => {
    const at = { project: "sdk-once", env: "dev" };
    const { createEnvironment, patchConfig } = client();
    await createEnvironment({ project_id: at.project, new_environment: at.env });
    const first = await patchConfig({ ...at, vars: { A: "1" }, idempotencyKey: "the-key" });
    expect(await patchConfig({ ...at, vars: { A: "1" }, idempotencyKey: "the-key" })).toEqual(first);
    const other = await failure(patchConfig({ ...at, vars: { A: "2" }, idempotencyKey: "the-key" }));
    expect(other).toMatchObject({ code: "idempotency_mismatch", status: 422 });
  });

  test("text and health are read as what they are", async () => {
    expect(await client().getMetrics()).toContain("# TYPE");
    expect((await client().getHealth()).status).toBe("ok");
    expect((await client().getReadiness()).status).toBe("ready");
  });

  test("a refusal has the engine's code, reason and fix, and the id that its log knows", async () => {
    const error = await failure(client().getConfig({ project: "sdk-none", env: "dev" }));
    expect(error).toMatchObject({ name: "EnvmError", code: "project_not_found", status: 404, message: error.reason });
    expect(error.fix).not.toBe("");
    expect(error.requestId).toMatch(/\S/);
  });

  test("a token that is not one is refused by the engine, and shown by nobody", async () => {
    const token = "envm_0000000000000000_not-a-token-at-all";
    const error = await failure(createClient({ url: engine.url, token }).listProjects());
    expect(error).toMatchObject({ code: "unauthorized", status: 401 });
    expect(JSON.stringify({ ...error, message: error.message, stack: error.stack })).not.toContain(token);
  });
});

describe("what cannot be sent is refused by words that show no secret:", () => {
  const secret = "s3cr3t-canary";
  const refused = (options: Parameters<typeof createClient>[0]) => {
    try {
      createClient(options);
    } catch (error) {
      return error as EnvmError;
    }
    throw new Error("It was taken.");
  };

  test.each([
    `https://user:${secret}@envm.example.com`,
    `ftp://envm.example.com/${secret}`,
    `not an address ${secret}`,
    `https://envm.example.com?${secret}`,
  ])("an address like %s", (url) => {
    const error = refused({ url });
    expect(error).toMatchObject({ code: "invalid_call" });
    expect(String(error) + error.fix).not.toContain(secret);
  });

  test("a header of two lines", () => {
    const error = refused({ url: "http://127.0.0.1:1", headers: { "x-a": `${secret}\nx-b: c` } });
    expect(error.code).toBe("invalid_call");
    expect(String(error) + error.fix).not.toContain(secret);
  });

  test("a token with a line end", async () => {
    const error = await failure(createClient({ url: "http://127.0.0.1:1", token: `${secret}\n` }).listProjects());
    expect(error).toMatchObject({ code: "invalid_call" });
    expect(String(error) + error.fix).not.toContain(secret);
  });
});
