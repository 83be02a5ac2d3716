import { expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();
const PROJECT = "shop";
const COMPONENTS = 300;

/** Names in an order of their own, and one whose collection's name another begins with. */
function largeState(): Record<string, Record<string, unknown>> {
  const flows = Array.from({ length: COMPONENTS }, (_, n) => [`${n}`, { at: n, text: `“${"x".repeat(4_000)}”` }]);
  return { flows: Object.fromEntries(flows), "flows-old": { a: null, "b/c": [1e21, -0.5] }, pages: { home: "" } };
}

test("a state of any size is read as it was written, in pieces where it is large", async () => {
  const state = largeState();
  await engine.request("POST", "/env/create", { project_id: PROJECT, new_environment: "dev" });
  const path = `/env/${PROJECT}/dev/state`;
  const empty = await engine.get<{ state: object }>(path);
  expect(empty.body).toEqual({ project_id: PROJECT, env: "dev", version: "v0.1.0", revision: 1, state: {} });
  expect(empty.headers["content-length"]).toBe(`${empty.text.length}`);

  await engine.request("PUT", path, { state });
  const whole = await engine.get<{ state: object }>(path);
  expect(whole.text.length).toBeGreaterThan(LIMITS.pieceLength * 4);
  expect(whole.headers).toMatchObject({ "transfer-encoding": "chunked", "content-type": "application/json; charset=utf-8" });
  expect(whole.body).toEqual({ project_id: PROJECT, env: "dev", version: "v0.2.0", revision: 2, state: JSON.parse(JSON.stringify(state)) });

  const collection = await engine.get<{ components: object }>(`${path}/flows`);
  expect(collection.headers).toMatchObject({ "transfer-encoding": "chunked" });
  expect(collection.body).toMatchObject({ collection: "flows", components: state["flows"] });
  expect(Object.keys(collection.body.components)).toHaveLength(COMPONENTS);

  const etag = String(whole.headers["etag"]);
  const cached = { etag, "cache-control": "private, no-cache" };
  for (const known of [etag, "*"]) {
    const again = await engine.request("GET", path, undefined, { "if-none-match": known });
    expect(again).toMatchObject({ status: 304, text: "", headers: cached });
  }
  const head = await fetch(engine.url + path, { method: "HEAD" });
  expect(head.status).toBe(200);
  expect(Object.fromEntries(head.headers)).toMatchObject(cached);
  expect(await head.text()).toBe("");
  const none = await engine.get(`${path}/nothing`);
  expect(none).toMatchObject({ status: 404, body: { code: "collection_not_found" } });
});
