import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { AllowList } from "../../src/engines/address.ts";
import { checkRepository } from "../../src/engines/repository-address.ts";
import { type RemoteBounds, RemoteRepositories } from "../../src/git/remote.ts";
import { LIMITS } from "../../src/limits.ts";
import { codeOf, errorOf } from "../domain/support.ts";
import { deltaBomb } from "./delta-bomb.ts";
import { forge } from "./serving.ts";
import { fullDisk } from "./support.ts";
import { type WorkTree, workTree } from "./work-tree.ts";

const BEFORE = { project: "pf-777", env: "staging", pulled: null, rewritten: false };
const NEVER = new AbortController().signal;
const allow = new AllowList(["127.0.0.1", "localhost"]);

/** Repositories as the engine fetches them, where the operator allows this machine. */
const repositories = (bounds: RemoteBounds = {}) => new RemoteRepositories((url) => checkRepository(url, { allow }), bounds);

async function served(credential = ""): Promise<{ tree: WorkTree; url: string; at: (path: string) => string }> {
  const tree = workTree();
  tree.commit("One", { "platform/flows/a.json": { v: 1 } });
  const base = await forge(dirname(tree.folder), credential);
  const at = (path: string) => `${base}${path}/${tree.folder.slice(dirname(tree.folder).length + 1)}/.git`;
  return { tree, url: at(""), at };
}

const branch = (url: string, more: object = {}) => ({ url, branch: "main", path: "", credential: null, ...more });

describe("a branch is fetched", () => {
  test("over HTTP, as one that is there is read, and nothing of it stays behind", async () => {
    const { tree, url } = await served();
    const first = await repositories().changeSince(branch(url), BEFORE, NEVER);
    expect(first).toMatchObject({ set: { "flows/a": { v: 1 } }, commit: { author: "Grace" } });
    tree.commit("Two", { "platform/flows/b.json": { v: 2 } });
    const second = await repositories().changeSince(
      branch(url),
      { ...BEFORE, pulled: { commit: first.commit.id, path: "", revision: 2 } },
      NEVER,
    );
    expect(second).toMatchObject({ from: first.commit.id, set: { "flows/b": { v: 2 } } });
  });

  test("for which this machine has no room is not said to be damaged", async () => {
    const { url } = await served();
    const disk = fullDisk("fetch");
    const error = await errorOf(repositories().changeSince(branch(url), BEFORE, NEVER));
    expect(error).toMatchObject({ code: "storage_full", fix: expect.stringContaining("TMPDIR") });
    disk.makeRoom();
    expect(await repositories().changeSince(branch(url), BEFORE, NEVER)).toMatchObject({ set: { "flows/a": { v: 1 } } });
  });

  test("whose commits are named by SHA-256, too", async () => {
    const { tree, url } = await served();
    tree.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main", "other");
    tree.write({ "other/platform/flows/b.json": { v: 2 } }).git("-C", "other", "add", "--all");
    tree.git("-C", "other", "commit", "--quiet", "--message", "Long");
    const found = await repositories().changeSince(branch(url.replace(/\.git$/, "other/.git")), BEFORE, NEVER);
    expect(found).toMatchObject({ set: { "flows/b": { v: 2 } }, commit: { id: expect.stringMatching(/^[0-9a-f]{64}$/) } });
  });

  test("with a credential, which no message tells", async () => {
    const { url } = await served("x:p4ssw0rd-of-the-forge");
    const good = { username: "x", password: "p4ssw0rd-of-the-forge" };
    expect(await repositories().changeSince(branch(url, { credential: good }), BEFORE, NEVER)).toMatchObject({
      set: { "flows/a": { v: 1 } },
    });
    const error = await errorOf(repositories().changeSince(branch(url, { credential: { ...good, password: "wr0ng-one" } }), BEFORE, NEVER));
    expect(error).toMatchObject({ code: "repository_unavailable", message: expect.stringContaining("credential") });
    expect(`${error.message}${error.fix}${error.cause}`).not.toMatch(/p4ssw0rd|wr0ng/);
    expect(await codeOf(repositories().changeSince(branch(url), BEFORE, NEVER))).toBe("repository_unavailable");
  });

  test("and with none in its address, which says where it belongs", async () => {
    const error = await errorOf(checkRepository("https://bot:p4ssw0rd-of-the-forge@git.example.com/x.git"));
    expect(error).toMatchObject({ code: "target_not_allowed", fix: expect.stringContaining("`credential`") });
    expect(`${error.message}${error.fix}`).not.toContain("p4ssw0rd");
  });

  test("by a name whose addresses were looked at, and by no other", async () => {
    const { url } = await served();
    const { port, pathname } = new URL(url);
    const named = `http://forge.internal:${port}${pathname}`;
    const by = (addresses: readonly string[], list: AllowList) =>
      new RemoteRepositories((text) => checkRepository(text, { allow: list, lookup: async () => addresses }));
    // Nobody else knows that name: it is reached by the address that was looked at.
    const found = await by(["127.0.0.1"], new AllowList(["forge.internal"])).changeSince(branch(named), BEFORE, NEVER);
    expect(found.set).toEqual({ "flows/a": { v: 1 } });
  });
});

test("a credential is shown to a host whose name was given with dots at its end", async () => {
  const { url } = await served("x:p4ssw0rd-of-the-forge");
  const { port, pathname } = new URL(url);
  const options = { allow: new AllowList(["forge.internal"]), lookup: async () => ["127.0.0.1"] };
  const named = branch(`http://forge.internal..:${port}${pathname}`, { credential: { username: "x", password: "p4ssw0rd-of-the-forge" } });
  const found = await new RemoteRepositories((text) => checkRepository(text, options)).changeSince(named, BEFORE, NEVER);
  expect(found.set).toEqual({ "flows/a": { v: 1 } });
});

describe("what is no sound repository elsewhere is told:", () => {
  test.each([
    ["one that there is not", "/none", "repository_unavailable"],
    ["what answers with something else", "/broken", "repository_unavailable"],
    ["a redirect, which is not followed", "/redirecting", "repository_unavailable"],
    ["one that there is not, whatever its address is called", "/invalid-and-corrupt-unpack-401", "repository_unavailable"],
  ])("%s", async (_, path, code) => {
    const { at } = await served();
    expect(await codeOf(repositories().changeSince(branch(at(path)), BEFORE, NEVER))).toBe(code);
  });

  test("one whose host takes no connections", async () => {
    const { url } = await served();
    const closed = await closedPort();
    const error = await errorOf(repositories().changeSince(branch(url.replace(/:\d+\//, `:${closed}/`)), BEFORE, NEVER));
    expect(error).toMatchObject({ code: "repository_unavailable", message: expect.stringContaining("cannot be reached") });
  });

  test("one that breaks off in the middle of what it sends, which is not damaged and may go well another time", async () => {
    const { tree, at } = await served();
    tree.commit("Large", { "large.bin": randomBytes(300_000) });
    const error = await errorOf(repositories().changeSince(branch(at("/cut")), BEFORE, NEVER));
    expect(error).toMatchObject({ code: "repository_unavailable", message: expect.stringContaining("broke off") });
  });

  test("one that talks, and is given up: nothing of what it said is repeated", async () => {
    const { at } = await served();
    const error = await errorOf(repositories({ timeoutMs: 1_500 }).changeSince(branch(at("/talking")), BEFORE, NEVER));
    expect(error).toMatchObject({ code: "repository_unavailable", message: expect.stringContaining("took longer") });
    expect(error.message).not.toContain("word-of-the-forge");
  });

  test("one that never answers is given up", async () => {
    const { at } = await served();
    const error = await errorOf(repositories({ timeoutMs: 300 }).changeSince(branch(at("/hanging")), BEFORE, NEVER));
    expect(error).toMatchObject({ code: "repository_unavailable", message: expect.stringContaining("took longer") });
    const stop = new AbortController();
    const stopped = codeOf(repositories().changeSince(branch(at("/hanging")), BEFORE, stop.signal));
    stop.abort();
    expect(await stopped).toBe("repository_unavailable");
  });

  test("a branch that there is not", async () => {
    const { url } = await served();
    expect(await codeOf(repositories().changeSince(branch(url, { branch: "none" }), BEFORE, NEVER))).toBe("branch_not_found");
  });

  test("one that is too large", async () => {
    const { tree, url } = await served();
    tree.commit("Large", { "large.bin": randomBytes(300_000) });
    const error = await errorOf(repositories({ maxBytes: 100_000 }).changeSince(branch(url), BEFORE, NEVER));
    expect(error).toMatchObject({ code: "too_large", message: expect.stringContaining("100000 bytes") });
  });

  test("one that is too large, and served as mere files, object by object", async () => {
    const { tree, at } = await served();
    tree.git("update-server-info");
    expect(await repositories().changeSince(branch(at("/files")), BEFORE, NEVER)).toMatchObject({ set: { "flows/a": { v: 1 } } });
    tree.commit("Large", { "large.bin": randomBytes(300_000) });
    tree.git("update-server-info");
    const error = await errorOf(repositories({ maxBytes: 100_000 }).changeSince(branch(at("/files")), BEFORE, NEVER));
    expect(error).toMatchObject({ code: "too_large" });
  });

  test("one that is small on its way, and takes more memory than there may be where it is unpacked", async () => {
    const sound = await repositories().changeSince(branch(await deltaBomb(20_000_000)), BEFORE, NEVER);
    expect(sound).toMatchObject({ set: {}, commit: { author: "Mallory" } });
    const error = await errorOf(repositories().changeSince(branch(await deltaBomb(LIMITS.gitObjectBytes + 1)), BEFORE, NEVER));
    expect(error).toMatchObject({ code: "too_large", message: expect.stringContaining(`${LIMITS.gitObjectBytes} bytes`) });
  });

  test("one that takes too long to be read", async () => {
    const { url } = await served();
    const error = await errorOf(repositories({ readMs: 0 }).changeSince(branch(url), BEFORE, NEVER));
    expect(error).toMatchObject({ code: "repository_unavailable", message: expect.stringContaining("Reading the repository took longer") });
  });

  test("one that is not sound, object by object", async () => {
    const { tree, url } = await served();
    // A tree with an entry that climbs out of it: Git itself makes none.
    const blob = tree.git("rev-parse", "HEAD:platform/flows/a.json");
    const entry = Buffer.concat([Buffer.from("100644 ..\0"), Buffer.from(blob, "hex")]);
    writeFileSync(join(tree.folder, "entry"), entry);
    const root = tree.git("hash-object", "-t", "tree", "-w", "--literally", "entry");
    tree.git("update-ref", "refs/heads/main", tree.git("commit-tree", root, "-m", "Unsound"));
    expect(await codeOf(repositories().changeSince(branch(url), BEFORE, NEVER))).toBe("invalid_repository");
  });
});

describe("an address is looked at before anything is asked of it:", () => {
  const check = (url: string, addresses: readonly string[] = ["93.184.215.14"], list = new AllowList()) =>
    checkRepository(url, { allow: list, lookup: async () => addresses });

  test.each([
    ["plain http", "http://git.example.com/x.git"],
    ["another scheme", "ssh://git.example.com/x.git"],
    ["a folder", "file:///etc"],
    ["a helper of Git's", "ext::sh -c id"],
    ["an option of Git's", "--upload-pack=id"],
    ["a credential within", "https://u:p@git.example.com/x.git"],
    ["a private address", "https://10.1.2.3/x.git"],
    ["this machine", "https://127.0.0.1/x.git"],
    ["a query", "https://git.example.com/x.git?a=b"],
    ["a port of another service", "https://git.example.com:22/x.git"],
  ])("%s is refused", async (_, url) => {
    expect(await codeOf(check(url))).toBe("target_not_allowed");
  });

  test("a name that leads to a private address is refused, one such among others is enough, and what the operator allows is not", async () => {
    const url = "https://git.example.com/x.git";
    expect(await codeOf(check(url, ["93.184.215.14", "10.0.0.1"]))).toBe("target_not_allowed");
    expect(await check(url, ["10.0.0.1"], new AllowList(["10.0.0.0/8"]))).toMatchObject({ resolve: "git.example.com:443:10.0.0.1" });
    expect(await check(url)).toEqual({ url, protocol: "https", resolve: "git.example.com:443:93.184.215.14" });
    expect(await codeOf(check(url, []))).toBe("repository_unavailable");
  });

  test.each([".", "..", "...."])("a name with %s at its end is looked up and pinned without", async (dots) => {
    const asked: string[] = [];
    const lookup = async (host: string) => {
      asked.push(host);
      return ["93.184.215.14"];
    };
    expect(await checkRepository(`https://git.example.com${dots}/x.git`, { lookup })).toEqual({
      url: "https://git.example.com/x.git",
      protocol: "https",
      resolve: "git.example.com:443:93.184.215.14",
    });
    expect(asked).toEqual(["git.example.com"]);
    expect(await codeOf(check(`https://127.0.0.1${dots}/x.git`))).toBe("target_not_allowed");
  });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

test("no folder of a fetch is left behind, however it ended", async () => {
  const { tree, url, at } = await served();
  // A place of its own: others fetch at the same time.
  vi.stubEnv("TMPDIR", join(tree.folder, ".git"));
  onTestFinished(() => void vi.unstubAllEnvs());
  await repositories().changeSince(branch(url), BEFORE, NEVER);
  await codeOf(repositories().changeSince(branch(at("/none")), BEFORE, NEVER));
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith("envm-git-"))).toEqual([]);
});
