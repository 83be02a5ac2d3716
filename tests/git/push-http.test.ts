import { createHmac } from "node:crypto";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { forge } from "./serving.ts";
import { workTree } from "./work-tree.ts";

const engine = useEngine({ env: { GIT_ALLOW: "127.0.0.1" } });

test("a forge's push, signed over the very bytes that were sent, becomes a revision of the environment", async () => {
  const tree = workTree();
  tree.commit("From the forge", { "platform/flows/a.json": { v: 1 } });
  const folder = dirname(tree.folder);
  const url = `${await forge(folder)}/${tree.folder.slice(folder.length + 1)}/.git`;
  await engine.request("POST", "/env/create", { project_id: "pf-push", new_environment: "staging" });
  const path = "/env/pf-push/staging/git";
  const { body: source, status } = await engine.request<{ hook_secret: string }>("PUT", path, { url, branch: "main" });
  expect(status).toBe(200);
  expect((await engine.get(path)).text).not.toContain(source.hook_secret);

  // Content of no commit is not passed over.
  expect(await engine.request("POST", `${path}/pull`, { set: { "flows/a": 1 } })).toMatchObject({ status: 400 });

  // Spaced as no JSON writer would: what is signed are the bytes.
  const raw = '{ "ref" :"refs/heads/main" ,\n "deleted": false }';
  const signature = `sha256=${createHmac("sha256", source.hook_secret).update(raw).digest("hex")}`;
  const push = (headers: Record<string, string>) => engine.request("POST", `${path}/hook`, raw, { "x-github-event": "push", ...headers });
  expect(await push({ "x-hub-signature-256": signature.replace(/.$/, (last) => (last === "0" ? "1" : "0")) })).toMatchObject({
    status: 401,
  });
  const nonsense = '{"ref":"refs/heads/main"';
  const signed = { "x-hub-signature-256": `sha256=${createHmac("sha256", source.hook_secret).update(nonsense).digest("hex")}` };
  expect(await engine.request("POST", `${path}/hook`, nonsense, signed)).toMatchObject({ status: 400, body: { code: "invalid_json" } });
  expect(await push({ "x-hub-signature-256": signature, "x-github-delivery": "1" })).toMatchObject({
    status: 202,
    body: { status: "accepted" },
  });

  const next = await engine.get<{ revision: number }>("/env/pf-push/staging/active?wait=60s&after=1");
  expect(next.body.revision).toBe(2);
  expect((await engine.get("/env/pf-push/staging/revisions/2")).body).toMatchObject({
    created_by: "git-push",
    message: "From the forge",
    git: { author: "Grace", commit: tree.git("rev-parse", "HEAD") },
  });
});
