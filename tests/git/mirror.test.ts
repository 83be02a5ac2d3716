import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { AllowList } from "../../src/engines/address.ts";
import { gitText, runGit } from "../../src/git/run.ts";
import type { Store } from "../../src/ports.ts";
import { Mirror } from "../../src/repositories/mirror.ts";
import { auditRecords, caller, documents, memoryStore, PROJECT, TestClock, vaultEntries } from "../domain/support.ts";
import { LONG_ENOUGH, openSending, type Sending } from "../sinks/support.ts";
import { ForgeServer } from "./forge-server.ts";
import { folder, git, refs, repositoriesOf, repositoryOf } from "./support.ts";

const TOKEN = "t0ken-of-the-mirror-in-no-log";

interface Scene extends Sending {
  /** The remote's folder. */
  readonly remote: string;
  readonly url: string;
  /** What the engine's own repository holds, but for what it shows nobody. */
  expected(): Promise<Readonly<Record<string, string>>>;
}

/** An engine whose projects are pushed wherever a test says, and an empty repository to push to. */
async function scene(): Promise<Scene> {
  const clock = new TestClock();
  const store = memoryStore(clock);
  const root = folder();
  const remote = join(root, "pf.git");
  await runGit(["init", "--bare", "--quiet", remote]);
  await runGit(["config", "http.receivepack", "true"], { repository: remote });
  const sending = await openSending({ store, pusher: pusherOn(store, [root]) });
  await sending.project.create("development");
  await sending.project.set("development", { "flows/a": 1 });
  const expected = async () => {
    const all = Object.entries(await refs(await repositoryOf(sending as never, folder())));
    return Object.fromEntries(all.filter(([name]) => !name.startsWith("refs/envm")));
  };
  return {
    ...sending,
    clock,
    after: async (ms) => void (await later(sending, clock, ms)),
    remote,
    url: pathToFileURL(remote).href,
    expected,
  };
}

async function later(sending: Sending, clock: TestClock, ms: number): Promise<void> {
  clock.time += ms;
  await sending.domain.sweeper.runDue();
  await sending.settled();
}

function pusherOn(store: Store, folders: readonly string[] = []): Mirror {
  return new Mirror(repositoriesOf(store, folder()), { allow: new AllowList(["127.0.0.1"]), folders });
}

/** Somebody else's commit on a branch of the remote. */
async function foreignCommit(remote: string, branch: string): Promise<string> {
  const tree = await gitText(["mktree"], { repository: remote, input: "" });
  const identity = { "user.name": "Eve", "user.email": "eve@example.com" };
  const commit = await gitText(["commit-tree", "-m", "mine", tree], { repository: remote, config: identity });
  await git(remote, "update-ref", `refs/heads/${branch}`, commit);
  return commit;
}

describe("a mirror", () => {
  test("has every branch and tag, from before it was set too, and each revision soon after it is made", async () => {
    const here = await scene();
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url: here.url });
    await here.settled();
    expect(await refs(here.remote)).toEqual(await here.expected());
    await here.project.create("staging", { base: "development" });
    await here.project.configure("staging", { vars: { A: "1" } });
    await here.settled();
    expect(await refs(here.remote)).toEqual(await here.expected());
    expect(Object.keys(await refs(here.remote))).toContain("refs/heads/staging");
    const { seq } = (await auditRecords(here.store)).at(-1) ?? {};
    expect(await here.sink("git")).toMatchObject({ kind: "git", state: "ok", head: seq, cursor: seq, backlog: 0, last_error: null });
  });

  test("of a long backlog takes one push", async () => {
    const here = await scene();
    for (let n = 0; n < 30; n++) await here.project.set("development", { "flows/a": `n${n}` });
    let pushes = 0;
    const push = Mirror.prototype.push;
    Mirror.prototype.push = function (...given) {
      pushes++;
      return push.apply(this, given);
    };
    onTestFinished(() => {
      Mirror.prototype.push = push;
    });
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url: here.url });
    await here.settled();
    expect(pushes).toBe(1);
    expect(await refs(here.remote)).toEqual(await here.expected());
  });

  test("is not pushed again, by a later turn, for what an earlier one brought: a push may take longer than a turn", async () => {
    const { domain, project, store, url, settled } = await scene();
    await domain.mirrors.set(project.caller, PROJECT, { url });
    await settled();
    const pushes = vi.spyOn(Mirror.prototype, "push");
    onTestFinished(() => pushes.mockRestore());
    for (const record of (await auditRecords(store)).filter(({ revision }) => revision !== null)) {
      const outlet = await domain.mirrors.outlet(PROJECT);
      expect(await outlet?.send(record, { signal: new AbortController().signal } as never)).toBe("taken");
    }
    expect(pushes).not.toHaveBeenCalled();
  });

  test("that is removed by the same request again is another one by now, and goes on", async () => {
    const here = await scene();
    const { mirrors } = here.domain;
    await mirrors.set(here.project.caller, PROJECT, { url: here.url });
    await here.settled();
    const once = { ...caller("ann"), once: { id: "d".repeat(64), content: "e".repeat(64) } };
    const first = await mirrors.remove(once, PROJECT);
    await mirrors.set(here.project.caller, PROJECT, { url: here.url });
    await here.settled();
    const before = await here.domain.sinks.overview(PROJECT);
    expect(await mirrors.remove(once, PROJECT)).toEqual(first);
    expect(await here.domain.sinks.overview(PROJECT)).toEqual(before);
  });

  test("whose credential is gone from the vault says so", async () => {
    const here = await scene();
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url: here.url, token: TOKEN });
    const [, id = ""] = /^_mirror\/credential@(.*)$/.exec((await vaultEntries(here.store))[0] ?? "") ?? [];
    await here.vault.delete({ project: PROJECT, env: "_mirror", name: "credential", id });
    await here.settled();
    expect(JSON.stringify(await here.domain.sinks.overview(PROJECT))).toContain(
      'The credential of the mirror of \\"pf-777\\" is gone from the vault.',
    );
  });

  test("that is set again by the same request is set once, and has the first one's answer", async () => {
    const { domain, store, url } = await scene();
    const once = { ...caller("ann"), once: { id: "a".repeat(64), content: "b".repeat(64) } };
    const set = (by = once) => domain.mirrors.set(by, PROJECT, { url, token: TOKEN });
    const [first, beside] = await Promise.all([set(), set()]);
    const records = (await auditRecords(store)).length;
    const entries = await vaultEntries(store);
    expect([beside, await set()]).toEqual([first, first]);
    expect((await auditRecords(store)).length).toBe(records);
    expect(await vaultEntries(store)).toEqual(entries);
    expect(entries.length).toBe(1);
    await expect(set({ ...once, once: { ...once.once, content: "c".repeat(64) } })).rejects.toMatchObject({ code: "idempotency_mismatch" });
  });

  test("that holds somebody else's commits keeps them: it is told which, has all else, and is whole once they are out of the way", async () => {
    const here = await scene();
    const mine = await foreignCommit(here.remote, "development");
    await here.project.create("staging");
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url: here.url });
    await here.settled();
    const expected = await here.expected();
    expect(await refs(here.remote)).toEqual({ ...expected, "refs/heads/development": mine });
    const { state, last_error } = await here.sink("git");
    expect([state, last_error?.reason]).toEqual([
      "failing",
      expect.stringMatching(
        /"development" holds commits that are not the engine's, and nothing was overwritten\. Rename or remove it there/,
      ),
    ]);
    await git(here.remote, "update-ref", "-d", "refs/heads/development");
    await here.after(LONG_ENOUGH);
    expect(await refs(here.remote)).toEqual(expected);
    expect((await here.sink("git")).state).toBe("ok");
  });

  test("keeps a branch of somebody else's that the engine has none like", async () => {
    const here = await scene();
    const mine = await foreignCommit(here.remote, "somebody");
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url: here.url });
    await here.settled();
    expect(await refs(here.remote)).toEqual({ ...(await here.expected()), "refs/heads/somebody": mine });
  });

  test("loses the branch of a preview that is over, unless somebody went on with it", async () => {
    const here = await scene();
    for (const env of ["preview-1", "preview-2"]) await here.project.create(env, { type: "preview", expires_in: "1h" });
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url: here.url });
    await here.settled();
    const mine = await foreignCommit(here.remote, "preview-2");
    await here.after(2 * 60 * 60_000);
    for (const env of ["preview-1", "preview-2"]) await here.domain.previews.expire(here.project.caller, PROJECT, env);
    await here.settled();
    const branches = Object.entries(await refs(here.remote)).filter(([name]) => name.startsWith("refs/heads/"));
    expect(branches.map(([name]) => name).sort()).toEqual(["refs/heads/development", "refs/heads/preview-2"]);
    expect(Object.fromEntries(branches)["refs/heads/preview-2"]).toBe(mine);
  });

  test("is shown without its credential, replaced as a whole, and leaves nothing behind when it is removed", async () => {
    const here = await scene();
    const { mirrors } = here.domain;
    const url = "https://mirror.example.com/pf.git";
    const set = await mirrors.set(caller("ada"), PROJECT, { url, username: "bot", token: TOKEN });
    expect(set).toEqual(await mirrors.view(PROJECT));
    expect(set).toMatchObject({ url, username: "bot", host_keys: [], has_credential: true, updated_by: "ada" });
    expect(JSON.stringify([set, await auditRecords(here.store), await documents(here.store)])).not.toContain(TOKEN);
    await mirrors.set(caller("ada"), PROJECT, { url: here.url });
    expect(await mirrors.view(PROJECT)).toMatchObject({ url: here.url, username: null, has_credential: false });
    await here.settled();
    await mirrors.remove(caller("ada"), PROJECT);
    await expect(mirrors.view(PROJECT)).rejects.toMatchObject({ code: "mirror_not_found" });
    await expect(mirrors.remove(caller("ada"), PROJECT)).rejects.toMatchObject({ code: "mirror_not_found" });
    await expect(mirrors.set(caller("ada"), "pf-404", { url: here.url })).rejects.toMatchObject({ code: "project_not_found" });
    await here.settled();
    expect((await here.domain.sinks.overview(PROJECT)).map(({ name }) => name)).not.toContain("git");
    expect((await documents(here.store, PROJECT, "secret/_mirror")).length).toBe(0);
  });
});

describe("a mirror over HTTP", () => {
  async function forge(here: Scene, username = "git"): Promise<{ server: ForgeServer; url: string }> {
    const server = new ForgeServer(join(here.remote, ".."), username, TOKEN);
    const url = `${await server.start()}/pf.git`;
    onTestFinished(() => server.stop());
    return { server, url };
  }

  test("is shown the token, and nobody else is", async () => {
    const here = await scene();
    const { server, url } = await forge(here, "bot");
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url, username: "bot", token: TOKEN });
    await here.settled();
    expect(await refs(here.remote)).toEqual(await here.expected());
    expect(new Set(server.shown)).toEqual(new Set([`Basic ${Buffer.from(`bot:${TOKEN}`).toString("base64")}`]));
    expect(JSON.stringify([await here.sink("git"), here.failures])).not.toContain(TOKEN);
  });

  test("that refuses it is told of, without a word of either", async () => {
    const here = await scene();
    const { url } = await forge(here);
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url, token: "wr0ng-token" });
    await here.settled();
    const { state, last_error, next_at } = await here.sink("git");
    expect([state, last_error?.reason]).toEqual(["failing", expect.stringContaining("refuses the credential")]);
    expect(next_at).not.toBeNull();
    expect(JSON.stringify([last_error, here.failures])).not.toMatch(/wr0ng-token|s3cret/);
    here.clock.time += 1_000;
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url, token: TOKEN });
    await here.settled();
    expect(await here.sink("git")).toMatchObject({ state: "ok", backlog: 0 });
  });

  test("that sends git elsewhere is not followed", async () => {
    const here = await scene();
    const { server, url } = await forge(here);
    server.behaviour = "redirect";
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url, token: TOKEN });
    await here.settled();
    expect((await here.sink("git")).last_error?.reason).toMatch(/redirect/);
  });

  test("that hangs holds up neither a writer nor the end of the engine", async () => {
    const here = await scene();
    const { server, url } = await forge(here);
    server.behaviour = "hold";
    const asked = server.next();
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url, token: TOKEN });
    const { closed } = await asked;
    await here.project.set("development", { "flows/a": "meanwhile" });
    await here.domain.sinks.stop();
    await closed;
  });

  test("whose repository is gone, or whose host is, is tried again", async () => {
    const here = await scene();
    const { server, url } = await forge(here);
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url: url.replace("pf.git", "gone.git"), token: TOKEN });
    await here.settled();
    expect((await here.sink("git")).last_error?.reason).toContain("no repository at the mirror's address");
    await server.stop();
    here.clock.time += 1_000;
    await here.domain.mirrors.set(here.project.caller, PROJECT, { url, token: TOKEN });
    await here.settled();
    expect(await here.sink("git")).toMatchObject({ state: "failing", last_error: { reason: "The mirror's host cannot be reached." } });
  });
});
