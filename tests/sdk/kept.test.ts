import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { BOUNDS } from "../../src/sdk/bounds.ts";
import { type CopyStore, createClient, type TokenSource } from "../../src/sdk/index.ts";
import { fileStore } from "../../src/sdk/node.ts";
import { useEngine } from "../support/engine.ts";
import { connected, deadUrl, failure, next, Relay, reached } from "./support.ts";

const TOKEN = "root-token-of-the-kept-tests";
const SECRET = "kept-s3cret-value";
const VAR = "kept-var-value";
const engine = useEngine({ token: TOKEN });
const client = () => createClient({ url: engine.url, token: TOKEN });

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "env-manager-kept-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function raise(message: string): never {
  throw new Error(message);
}

/** Resolves when the store has been written to. */
function told(store: CopyStore): { readonly store: CopyStore; readonly written: Promise<void> } {
  let tell: () => void = () => undefined;
  const written = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { written, store: { read: () => store.read(), write: (text) => store.write(text).then(tell) } };
}

/** An environment with a var and a secret, whose copy was kept in `path`; and a relay that leads to where nothing listens by now. */
async function kept(project: string, path: string) {
  await client().createEnvironment({
    project_id: project,
    new_environment: "dev",
    env_variables: { A: VAR, API_KEY: { value: SECRET, secret: true } },
  });
  await client().patchConfig({ project, env: "dev", flags: { f: true } });
  const relay = await Relay.to(engine.url);
  const at = { url: relay.url, token: TOKEN, project, env: "dev", secrets: true } as const;
  const { store, written } = told(fileStore(path));
  const env = await connected({ ...at, persist: { store } }).ready();
  await written;
  env.close();
  relay.lead(await deadUrl());
  relay.cut();
  return { at, relay };
}

describe("a copy that is kept", () => {
  test("is what a start has while the engine is away, said to be stale, and gives way to the engine", async () => {
    const path = join(folder(), "deep", "copy.envm");
    const { at, relay } = await kept("kept", path);
    const env = await connected({ ...at, persist: { store: fileStore(path) } }).ready();
    expect(env.status).toMatchObject({ state: "stale", source: "kept", revision: 2, error: { code: "connection_failed" } });
    expect(env.status.ageMs).toBeGreaterThanOrEqual(0);
    expect({ a: env.var("A"), secret: env.secret("API_KEY"), f: env.value("f", false) }).toEqual({ a: VAR, secret: SECRET, f: true });
    await client().patchConfig({ project: "kept", env: "dev", vars: { A: "newer" } });
    const current = next(env, "current");
    relay.lead(engine.url);
    await current;
    await reached(env, 3);
    expect(env.status).toMatchObject({ state: "current", source: "engine" });
    expect(env.var("A")).toBe("newer");
  });

  test("is readable by its owner alone, and holds nothing in the clear", async () => {
    const path = join(folder(), "copy.envm");
    await kept("kept-clear", path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, "utf8");
    for (const plain of [VAR, SECRET, TOKEN, "API_KEY", "kept-clear"]) {
      for (const form of [plain, Buffer.from(plain).toString("base64").replace(/=+$/, "").slice(0, -1)]) expect(text).not.toContain(form);
    }
  });

  test.each(["salt", "iv", "data"])("is refused where somebody changed its %s: nothing of it is used", async (member) => {
    const path = join(folder(), "copy.envm");
    const { at } = await kept(`kept-tampered-${member === "data" ? "body" : member}`, path);
    const sealed = JSON.parse(readFileSync(path, "utf8"));
    const bytes = Buffer.from(sealed[member], "base64");
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    writeFileSync(path, JSON.stringify({ ...sealed, [member]: bytes.toString("base64") }));
    const env = connected({ ...at, persist: { store: fileStore(path) }, readyTimeoutMs: 500 });
    const error = next(env, "error");
    expect((await failure(env.ready())).code).toBe("timeout");
    expect((await error).code).toBe("copy_unreadable");
    expect(env.status.revision).toBeNull();
  });

  test.each([
    ["nothing", ""],
    ["half of it", null],
    ["something else", '{"format":"another"}'],
  ])("is refused where the file holds %s", async (_what, text) => {
    const path = join(folder(), "copy.envm");
    const { at } = await kept(`kept-broken-${text === null ? "half" : text.length}`, path);
    writeFileSync(path, text ?? readFileSync(path, "utf8").slice(0, 200));
    const env = connected({ ...at, persist: { store: fileStore(path) }, readyTimeoutMs: 500 });
    expect((await next(env, "error")).code).toBe("copy_unreadable");
    expect((await failure(env.ready())).code).toBe("timeout");
  });

  test.each([
    ["another token", { token: "another-token-of-the-kept-tests" }],
    ["another environment", { env: "production" }],
    ["another project", { project: "another" }],
  ])("is not opened for %s", async (what, other) => {
    const path = join(folder(), "copy.envm");
    const { at } = await kept(`kept-${what.replace(" ", "-")}`, path);
    const env = connected({ ...at, ...other, persist: { store: fileStore(path) }, readyTimeoutMs: 500 });
    expect((await next(env, "error")).code).toBe("copy_unreadable");
    expect((await failure(env.ready())).code).toBe("timeout");
  });

  test("with a key of its own outlives its token", async () => {
    const path = join(folder(), "copy.envm");
    await client().createEnvironment({ project_id: "kept-key", new_environment: "dev", env_variables: { A: VAR } });
    const at = { project: "kept-key", env: "dev", url: engine.url };
    const relay = await Relay.to(engine.url);
    const { store, written } = told(fileStore(path));
    await connected({ ...at, url: relay.url, token: TOKEN, persist: { store, key: "a key of its own" } }).ready();
    await written;
    relay.lead(await deadUrl());
    relay.cut();
    const env = await connected({ ...at, url: relay.url, token: "the-next-token", persist: { store, key: "a key of its own" } }).ready();
    expect(env.var("A")).toBe(VAR);
  });

  test("is not used where the engine is there and says that the token is not one", async () => {
    const path = join(folder(), "copy.envm");
    await client().createEnvironment({ project_id: "kept-revoked", new_environment: "dev" });
    const { id, token } = await client().createToken({ name: "app", role: "reader", projects: ["kept-revoked"] });
    const at = { url: engine.url, token, project: "kept-revoked", env: "dev" };
    const { store, written } = told(fileStore(path));
    (await connected({ ...at, persist: { store } }).ready()).close();
    await written;
    await client().revokeToken({ id });
    const env = connected({ ...at, persist: { store } });
    expect((await failure(env.ready())).code).toBe("unauthorized");
    expect(env.status.revision).toBeNull();
  });

  test("that cannot be written is told of, and keeps nobody from reading", async () => {
    const path = join(folder(), "copy.envm");
    mkdirSync(join(path, "in-the-way"), { recursive: true });
    await client().createEnvironment({ project_id: "kept-unwritable", new_environment: "dev" });
    const env = connected({ url: engine.url, token: TOKEN, project: "kept-unwritable", env: "dev", persist: { store: fileStore(path) } });
    expect((await next(env, "error")).code).toBe("copy_store_failed");
    await env.ready();
    expect(env.status.state).toBe("current");
    expect(readdirSync(join(path, ".."))).toEqual(["copy.envm"]);
  });

  test.each<readonly [what: string, code: string, options: () => { readonly store: CopyStore; readonly token: TokenSource }]>([
    [
      "in a store that fails at once, and not by a promise",
      "copy_store_failed",
      () => ({ token: TOKEN, store: { read: async () => null, write: () => raise("full") } }),
    ],
    [
      "with a token that cannot be found any more",
      "token_unavailable",
      () => {
        let asked = 0;
        return { token: () => (asked++ === 0 ? TOKEN : raise("no file")), store: { read: async () => null, write: async () => undefined } };
      },
    ],
  ])("that cannot be kept is told of: %s", async (_what, code, options) => {
    const project = `kept-${code.replaceAll("_", "-")}`;
    await client().createEnvironment({ project_id: project, new_environment: "dev" });
    const { store, token } = options();
    const env = connected({ url: engine.url, project, env: "dev", token, stream: false, persist: { store } });
    expect((await next(env, "error")).code).toBe(code);
  });

  test("is kept by a store that answers at once", async () => {
    const store = new Map<string, string>();
    const persist = {
      store: { read: () => store.get("copy") ?? null, write: (text: string) => void store.set("copy", text) } as unknown as CopyStore,
    };
    await client().createEnvironment({ project_id: "kept-at-once", new_environment: "dev", env_variables: { A: VAR } });
    const relay = await Relay.to(engine.url);
    const at = { url: relay.url, token: TOKEN, project: "kept-at-once", env: "dev", persist };
    const first = await connected(at).ready();
    await first.kept();
    first.close();
    relay.lead(await deadUrl());
    relay.cut();
    expect((await connected(at).ready()).var("A")).toBe(VAR);
  });

  test("is never kept without anything to seal it with", async () => {
    let writes = 0;
    const store: CopyStore = { read: async () => null, write: async () => void writes++ };
    await client().createEnvironment({ project_id: "kept-open", new_environment: "dev" });
    const env = connected({
      url: engine.url,
      headers: { authorization: `Bearer ${TOKEN}` },
      project: "kept-open",
      env: "dev",
      persist: { store },
    });
    expect((await next(env, "error")).code).toBe("invalid_call");
    expect(writes).toBe(0);
  });

  test("that is longer than any copy is not read", async () => {
    const path = join(folder(), "copy.envm");
    writeFileSync(path, "");
    const { truncateSync } = await import("node:fs");
    truncateSync(path, BOUNDS.copyLength + 1);
    await expect(fileStore(path).read()).rejects.toThrow(/at most/);
  });
});
