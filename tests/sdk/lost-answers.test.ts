import { afterAll, beforeAll, expect, test } from "vitest";
import { type Client, createClient } from "../../src/sdk/index.ts";
import { useEngine } from "../support/engine.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { failure } from "./support.ts";

const TOKEN = "root-token-of-the-lost-answers";
const engine = useEngine({ token: TOKEN });
let proxy: TcpProxy;

beforeAll(async () => {
  proxy = await TcpProxy.start(Number(new URL(engine.url).port));
  await direct().createEnvironment({ project_id: "p", new_environment: "staging" });
});
afterAll(() => proxy.stop());

const direct = () => createClient({ url: engine.url, token: TOKEN });
const through = (token = TOKEN) => createClient({ url: `http://127.0.0.1:${proxy.port}`, token });

/** A call whose first answer is lost on its way, after the engine has done what was asked for. */
async function withLostAnswer<Result>(request: string, call: (client: Client) => Promise<Result>, token?: string): Promise<Result> {
  proxy.hold("answers", request);
  const answer = call(through(token));
  answer.catch(() => {});
  await proxy.holding("answers");
  proxy.holdNoMore();
  proxy.cutClients();
  proxy.release();
  return answer;
}

test("a token whose revocation was answered to nobody is told to be revoked, once", async () => {
  const { id } = await direct().createToken({ name: "ci", role: "reader", projects: ["p"] });
  expect(await withLostAnswer("DELETE /tokens/", (client) => client.revokeToken({ id }))).toMatchObject({ status: "revoked", id });
  const { items } = await direct().listAccessAudit({ action: "token_revoked" });
  expect(items).toHaveLength(1);
});

test("a webhook that was deleted, as the engine answered nobody, is told to be deleted", async () => {
  const { id } = await direct().createWebhook({ project: "p", url: "https://hooks.example.com/x" });
  expect(await withLostAnswer("DELETE /env/p/webhooks/", (client) => client.deleteWebhook({ project: "p", id }))).toMatchObject({ id });
  expect((await direct().listWebhooks({ project: "p" })).items).toEqual([]);
});

test("a token that revokes itself is told what it can be: that it is revoked", async () => {
  const own = await direct().createToken({ name: "self", role: "admin", projects: ["*"] });
  const revoke = withLostAnswer("DELETE /tokens/", (client) => client.revokeToken({ id: own.id }), own.token);
  expect(await failure(revoke)).toMatchObject({ code: "unauthorized", reason: "The token was revoked." });
  expect(await direct().getToken({ id: own.id })).toMatchObject({ status: "revoked" });
});
