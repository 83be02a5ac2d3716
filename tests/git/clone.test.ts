import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Client } from "../../scripts/demo/client.ts";
import { readInputs } from "../../scripts/demo/inputs.ts";
import { Narration } from "../../scripts/demo/narration.ts";
import { tellStory } from "../../scripts/demo/story.ts";
import { PROJECT } from "../../scripts/demo/telling.ts";
import { type GitError, type GitRun, gitText } from "../../src/git/run.ts";
import { LIMITS } from "../../src/limits.ts";
import { Engine, useEngine } from "../support/engine.ts";
import { Project, succeeded } from "../support/project.ts";
import { configOf, contentAt, folder, stateOf } from "./support.ts";

const ROOT = "root-token-of-this-test-0123456789";
const engine = useEngine({ token: ROOT });

/** Runs git as a user would, against the engine. */
function client(args: readonly string[], options: GitRun = {}): Promise<string> {
  return gitText(args, { protocols: ["http"], ...options });
}

function urlOf(project: string, token: string | null = ROOT): string {
  const credentials = token === null ? "" : `ann:${token}@`;
  return `${engine.url.replace("http://", `http://${credentials}`)}/git/${project}`;
}

async function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => expect.fail("it went well"),
    (error: GitError) => error.stderr,
  );
}

let tokens = 0;

async function tokenFor(envs: readonly string[], projects: readonly string[] = ["*"], role = "reader"): Promise<string> {
  const body = { name: `reader-${++tokens}`, role, projects, envs };
  return succeeded(await engine.request<{ token: string }>("POST", "/tokens", body), 201).token;
}

/** `development` stands alone; `staging` has what was promoted from it, and `production` from there. */
async function threeStages(): Promise<Project> {
  const project = new Project(engine);
  for (const env of ["development", "staging", "production"]) await project.create(env, { env_variables: { STAGE: env } });
  await project.putState("development", { flows: { a: { n: 1 }, b: { n: 2 } }, pages: { "home/é": { title: "Start" } } });
  await project.promote("development", "staging");
  await project.promote("staging", "production");
  return project;
}

async function branches(repository: string): Promise<readonly string[]> {
  return (await gitText(["for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin"], { repository }))
    .split("\n")
    .filter((name) => name !== "HEAD");
}

describe("git clone", () => {
  test("of the demo's project: each branch, checked out and read back, is the environment's state and config", async () => {
    const inputs = readInputs(undefined);
    const root = new Client(engine.url, new Narration(() => {}, false), { name: "root", token: ROOT });
    await tellStory(root, new Narration(() => {}, false), inputs);
    const into = join(folder(), "clone");
    await client(["clone", "--quiet", urlOf(PROJECT), into]);
    const { items } = succeeded(await engine.get<{ items: { env: string; status: string }[] }>(`/env/${PROJECT}`));
    const repository = join(into, ".git");
    const shown = items.filter(({ status }) => status !== "expired").map(({ env }) => env);
    expect([...(await branches(repository))].sort()).toEqual(shown.sort());
    for (const env of shown) {
      await gitText(["checkout", "--quiet", env], { cwd: into });
      expect(await gitText(["status", "--porcelain"], { cwd: into })).toBe("");
      const content = await contentAt(repository, "HEAD");
      const { state } = succeeded(await engine.get<{ state: object }>(`/env/${PROJECT}/${env}/state`));
      const { vars, secrets, flags } = succeeded(
        await engine.get<{ vars: object; secrets: object; flags: object }>(`/env/${PROJECT}/${env}/config`),
      );
      expect(stateOf(content), env).toEqual(state);
      expect(configOf(content), env).toEqual({ vars, secrets, flags });
    }
  }, 120_000);

  test("and then fetch brings what came since, and nothing else", async () => {
    const project = await threeStages();
    const into = join(folder(), "clone");
    await client(["clone", "--quiet", `${urlOf(project.id)}.git`, into]);
    expect(await gitText(["rev-parse", "--abbrev-ref", "HEAD"], { cwd: into })).toBe("production");
    const before = await gitText(["rev-parse", "origin/development"], { cwd: into });
    await project.patchState("development", { set: { "flows/c": 3 }, message: "One more\n\nfor a reason" });
    await client(["fetch", "--quiet"], { cwd: into });
    expect(await gitText(["rev-parse", "origin/development~1"], { cwd: into })).toBe(before);
    expect(await gitText(["log", "-1", "--format=%s|%an", "origin/development"], { cwd: into })).toBe("One more|root");
    expect(await gitText(["diff", "--name-status", before, "origin/development"], { cwd: into })).toBe("A\tplatform/flows/c.json");
  });

  test.each([["0"], ["1"], ["2"]])("works in version %s of the protocol, whole, shallow and without files", async (version) => {
    const project = await threeStages();
    const where = folder();
    const config = { "protocol.version": version };
    await client(["clone", "--quiet", "--depth=1", urlOf(project.id), join(where, "shallow")], { config });
    expect(await gitText(["rev-list", "--count", "HEAD"], { cwd: join(where, "shallow") })).toBe("1");
    await client(["clone", "--quiet", "--bare", urlOf(project.id), join(where, "whole")], { config });
    expect(await gitText(["fsck", "--strict"], { repository: join(where, "whole") })).toBe("");
    await client(["clone", "--quiet", "--bare", "--filter=blob:none", urlOf(project.id), join(where, "partial")], { config });
    const kinds = await gitText(["cat-file", "--batch-check=%(objecttype)", "--batch-all-objects"], { repository: join(where, "partial") });
    expect(new Set(kinds.split("\n"))).toEqual(new Set(["commit", "tree"]));
  });
});

describe("who may clone:", () => {
  test("nobody without a token, who is asked for a name and a password", async () => {
    const project = await threeStages();
    expect(await failure(client(["ls-remote", urlOf(project.id, null)]))).toContain("could not read Username");
    expect(await failure(client(["ls-remote", urlOf(project.id, "envm_wrong")]))).toContain("Authentication failed");
    const reply = await fetch(`${urlOf(project.id, null)}/info/refs?service=git-upload-pack`);
    expect([reply.status, reply.headers.get("www-authenticate")]).toEqual([401, expect.stringMatching(/^Basic /)]);
    // In words that somebody at a git can follow: it has no headers to send.
    expect(await reply.text()).toContain("a token as the password");
    expect((await fetch(`${engine.url}/env`)).headers.get("www-authenticate")).toMatch(/^Bearer /);
  });

  test("to whoever may read no environment of a project, it is one that there is not", async () => {
    const project = await threeStages();
    const other = await tokenFor(["*"], ["other-*"]);
    const evaluates = await tokenFor(["*"], ["*"], "client");
    const none = await failure(client(["ls-remote", urlOf("pf-404", other)]));
    expect(none).toContain('There is no project "pf-404".');
    for (const token of [other, evaluates, await tokenFor(["nothing-*"], [project.id])]) {
      expect(
        (await failure(client(["ls-remote", urlOf(project.id, token)]))).replaceAll(project.id, "pf-404").replaceAll(token, other),
      ).toBe(none);
    }
  });

  test("whoever may read some has the branches that hold no commit of others, and no object besides", async () => {
    const project = await threeStages();
    const token = await tokenFor(["development", "staging"], [project.id]);
    const into = join(folder(), "clone");
    await client(["clone", "--quiet", urlOf(project.id, token), into]);
    expect(await branches(join(into, ".git"))).toEqual(["development", "staging"]);
    expect(await gitText(["tag"], { cwd: into })).not.toBe("");

    const all = join(folder(), "all");
    await client(["clone", "--quiet", "--bare", urlOf(project.id), all]);
    const own = new Set((await objects(join(into, ".git"))).split("\n"));
    const hidden = (await objects(all)).split("\n").filter((id) => !own.has(id));
    expect(hidden.length).toBeGreaterThan(3);
    for (const version of ["0", "2"]) {
      for (const id of hidden) {
        const said = await failure(client(["fetch", "origin", id], { cwd: into, config: { "protocol.version": version } }));
        expect(said).toMatch(/not our ref|unadvertised object|upload-pack: not our ref/);
      }
    }
  }, 120_000);

  test("their part grows with the whole", async () => {
    const project = await threeStages();
    const token = await tokenFor(["development"], [project.id]);
    const into = join(folder(), "clone");
    await client(["clone", "--quiet", urlOf(project.id, token), into]);
    await project.patchState("development", { set: { "flows/new": 1 } });
    await project.create("development-2", { base_from: "development" });
    await client(["fetch", "--quiet"], { cwd: into });
    expect(await branches(join(into, ".git"))).toEqual(["development"]);
    expect(await gitText(["ls-tree", "-r", "--name-only", "origin/development", "platform/flows/new.json"], { cwd: into })).toBe(
      "platform/flows/new.json",
    );
  });

  test("where every branch that they may read holds commits of others, they are told so, and not whose", async () => {
    const project = await threeStages();
    const said = await failure(client(["ls-remote", urlOf(project.id, await tokenFor(["production"], [project.id]))]));
    expect(said).toContain(`No branch of "${project.id}" is for this token`);
    expect(said).not.toMatch(/staging|development/);
  });
});

describe("what is refused:", () => {
  test("a push, with what to do instead, which git shows", async () => {
    const project = await threeStages();
    const into = join(folder(), "clone");
    await client(["clone", "--quiet", urlOf(project.id), into]);
    const said = await failure(client(["push", "origin", "HEAD:refs/heads/production"], { cwd: into }));
    expect(said).toContain("is read-only");
    expect(said).toContain("Change an environment through envm");
    const reply = await fetch(`${engine.url}/git/${project.id}/git-receive-pack`, {
      method: "POST",
      headers: { authorization: `Bearer ${ROOT}` },
    });
    expect([reply.status, await reply.text()]).toEqual([403, expect.stringContaining("is read-only")]);
  });

  test.each([
    ["..%2f..%2fetc", 400],
    ["..", 400],
    ["%2e%2e%2fpf-1", 400],
    ["pf%201", 400],
    ["_sinks:pf-1", 400],
    ["pf-1%00", 400],
    ["git", 400],
    ["pf-404.git.git", 400],
  ])("a repository called %s", async (name, status) => {
    const reply = await engine.request("GET", `/git/${name}/info/refs?service=git-upload-pack`);
    expect(reply.status, reply.text).toBe(status);
  });

  test("whatever is no request of a current git, with why", async () => {
    const project = await threeStages();
    const pack = `/git/${project.id}/git-upload-pack`;
    const type = { "content-type": "application/x-git-upload-pack-request" };
    expect((await engine.get(`/git/${project.id}/info/refs`)).status).toBe(400);
    expect((await engine.get(pack)).status).toBe(405);
    expect((await engine.request("POST", pack, "{}")).status).toBe(415);
    expect((await engine.request("POST", pack, "0000", { ...type, "content-encoding": "br" })).status).toBe(415);
    expect((await engine.request("POST", pack, "no git", { ...type, "content-encoding": "gzip" })).status).toBe(400);
    expect((await engine.request("POST", pack, "zzzz", type)).status).toBe(400);
  });

  test("a request that unpacks to more than it may is cut off", async () => {
    const project = await threeStages();
    // Whole lines of an endless request, which git reads on and on.
    const line = "0032want 0000000000000000000000000000000000000000\n";
    const large = gzipSync(line.repeat(Math.ceil(LIMITS.gitRequestBytes / line.length) + 1));
    const reply = await engine.request("POST", `/git/${project.id}/git-upload-pack`, large, {
      "content-type": "application/x-git-upload-pack-request",
      "content-encoding": "gzip",
      "content-length": String(large.length),
    });
    expect([reply.status, reply.text]).toEqual([expect.any(Number), expect.stringMatching(/not our ref|at most/)]);
  });

  test("of one token: as many at a time as may be, and not one more, until one of them ends", async () => {
    const project = await threeStages();
    const token = await tokenFor(["*"], [project.id]);
    const held = Array.from({ length: LIMITS.gitServesPerToken + 1 }, () => heldRequest(`/git/${project.id}/git-upload-pack`, token));
    const refused = await Promise.race(
      held.map((sent) => once(sent, "response").then(([reply]) => ({ sent, reply: reply as IncomingMessage }))),
    );
    expect(refused.reply.statusCode).toBe(429);
    const list = () =>
      engine.request("GET", `/git/${project.id}/info/refs?service=git-upload-pack`, undefined, { authorization: `Bearer ${token}` });
    expect((await list()).status).toBe(429);
    held.find((sent) => sent !== refused.sent)?.destroy();
    while ((await list()).status !== 200);
    for (const request of held) request.destroy();
  });

  test("a body that git packed is unpacked", async () => {
    const project = await threeStages();
    const listing = gzipSync(
      "0014command=ls-refs\n0014object-format=sha10001000aunborn0000"
        .replace("0014object-format=sha1", "0017object-format=sha1\n")
        .replace("000aunborn", ""),
    );
    const reply = await engine.request("POST", `/git/${project.id}/git-upload-pack`, listing, {
      "content-type": "application/x-git-upload-pack-request",
      "content-encoding": "gzip",
      "git-protocol": "version=2",
      "content-length": String(listing.length),
    });
    expect([reply.status, reply.text]).toEqual([200, expect.stringContaining("refs/heads/production")]);
  });
});

describe("a machine without git", () => {
  const path = join(import.meta.dirname, `../../node_modules/.cache/no-git-${process.pid}`);
  const bare = new Engine({ token: ROOT, env: { PATH: path } });
  beforeAll(async () => {
    mkdirSync(path, { recursive: true });
    await bare.start();
  }, 120_000);
  afterAll(async () => {
    await bare.dispose();
    rmSync(path, { recursive: true, force: true });
  });

  test("serves everything else, and says which command installs it", async () => {
    const project = new Project(bare);
    await project.create("development");
    const reply = await bare.get(`/git/${project.id}/info/refs?service=git-upload-pack`);
    expect([reply.status, reply.text]).toEqual([503, expect.stringContaining("apt-get install git")]);
  });
});

/** A request whose body does not come. */
function heldRequest(path: string, token: string): ClientRequest {
  const { hostname, port } = new URL(engine.url);
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/x-git-upload-pack-request",
    "transfer-encoding": "chunked",
  };
  const sent = request({ hostname, port, method: "POST", path, headers, agent: false });
  sent.on("error", () => {});
  sent.flushHeaders();
  return sent;
}

function objects(repository: string): Promise<string> {
  return gitText(["cat-file", "--batch-check=%(objectname)", "--batch-all-objects"], { repository });
}
