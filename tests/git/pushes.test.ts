import { createHmac } from "node:crypto";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { AllowList } from "../../src/engines/address.ts";
import { checkRepository } from "../../src/engines/repository-address.ts";
import { RemoteRepositories } from "../../src/git/remote.ts";
import type { GitSourceDocument } from "../../src/git-source-documents.ts";
import type { Delivery } from "../../src/git-sources.ts";
import { keys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Json, JsonObject } from "../../src/ports.ts";
import { codeOf, document, documents, errorOf, memoryStore, openWorld, PROJECT, TestClock, type World } from "../domain/support.ts";
import { forge } from "./serving.ts";
import { type WorkTree, workTree } from "./work-tree.ts";

const allow = new AllowList(["127.0.0.1"]);
const NEVER = new AbortController().signal;

interface Scene extends World {
  readonly tree: WorkTree;
  readonly url: string;
  readonly secret: string;
  readonly clock: TestClock;
}

/** An environment that follows `main` of a repository that a forge of its own serves. */
async function scene(credential = ""): Promise<Scene> {
  const tree = workTree();
  tree.commit("One", { "platform/flows/a.json": { v: 1 }, "config/vars.json": { REGION: "eu" } });
  const folder = dirname(tree.folder);
  const url = `${await forge(folder, credential)}/${tree.folder.slice(folder.length + 1)}/.git`;
  const clock = new TestClock();
  const repositories = new RemoteRepositories((text) => checkRepository(text, { allow }));
  const world = await openWorld({ store: memoryStore(clock), repositories });
  await world.project.create("staging");
  const { hook_secret = "" } = await world.domain.gitSources.set(world.project.caller, PROJECT, "staging", {
    url,
    branch: "main",
    ...(credential !== "" && { username: "x", credential: credential.slice(2) }),
  });
  return { ...world, tree, url, secret: hook_secret, clock };
}

function push(secret: string, body: JsonObject = {}, more: Partial<Delivery> = {}): Delivery {
  const whole = { ref: "refs/heads/main", ...body };
  const raw = Buffer.from(JSON.stringify(whole));
  const signature = `sha256=${createHmac("sha256", secret).update(raw).digest("hex")}`;
  return { id: `d-${Math.random()}`, event: "push", signature, raw, read: () => whole, ...more };
}

const take = ({ domain }: World, delivery: Delivery, env = "staging", project = PROJECT) =>
  domain.gitSources.hook("request-1", project, env, delivery);

/** What is due now is done, and all that it began has ended. */
async function work({ domain, clock }: Scene): Promise<void> {
  clock.time += 1;
  await domain.sweeper.runDue();
  await domain.gitSources.idle();
}

const outcomeOf = async ({ domain }: World) => (await domain.gitSources.read(PROJECT, "staging")).source;

describe("a push", () => {
  test("is pulled at once, as a revision whose author is the commit's, by nobody's token", async () => {
    const world = await scene();
    expect(await take(world, push(world.secret, { n: 1 }))).toEqual({ status: "accepted" });
    await work(world);
    expect(await world.project.state("staging")).toEqual({ flows: { a: { v: 1 } } });
    expect((await world.project.revisions("staging"))[0]).toMatchObject({
      created_by: "git-push",
      git: { author: "Grace" },
      message: "One",
    });
    expect(await outcomeOf(world)).toMatchObject({ waiting: false, outcome: { status: "updated", revision: 2 } });
    world.tree.commit("Two", { "platform/flows/a.json": { v: 2 } });
    await take(world, push(world.secret, { n: 2 }));
    await work(world);
    expect(await world.project.state("staging")).toEqual({ flows: { a: { v: 2 } } });
    expect(world.failures).toEqual([]);
  });

  test.each<readonly [string, (secret: string) => Partial<Delivery>]>([
    ["without a signature", () => ({ signature: null })],
    ["with another's", (secret) => ({ signature: push(`${secret}x`).signature })],
    ["with one of another body", (secret) => ({ signature: push(secret, { n: 1 }).signature })],
    ["with one that is cut", (secret) => ({ signature: push(secret).signature?.slice(0, -2) ?? "" })],
    ["with SHA-1's", () => ({ signature: `sha1=${"a".repeat(40)}` })],
  ])("%s is refused", async (_, broken) => {
    const world = await scene();
    expect(await codeOf(take(world, push(world.secret, {}, broken(world.secret))))).toBe("unauthorized");
    await work(world);
    expect(await world.project.revisionNumber("staging")).toBe(1);
  });

  test("that is signed badly has the vault asked once at a time, however many come, and keeps no other from being taken", async () => {
    const world = await scene();
    const asked: (() => void)[] = [];
    const get = world.vault.get.bind(world.vault);
    world.vault.get = async (entry) => {
      await new Promise<void>((resolve) => asked.push(resolve));
      return get(entry);
    };
    const bad = Array.from({ length: 50 }, (_, n) => codeOf(take(world, push("wrong", { n }))));
    const good = take(world, push(world.secret));
    while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    // All of them have read their source, whose secret is being asked for.
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toHaveLength(1);
    asked[0]?.();
    expect(new Set(await Promise.all(bad))).toEqual(new Set(["unauthorized"]));
    expect(await good).toEqual({ status: "accepted" });
    // What was asked for is not kept.
    const later = take(world, push(world.secret, { n: -1 }));
    while (asked.length === 1) await new Promise((resolve) => setImmediate(resolve));
    asked[1]?.();
    expect(await later).toEqual({ status: "accepted" });
  });

  test("to what there is not, or what follows nothing, is refused with the very words of a wrong signature", async () => {
    const world = await scene();
    await world.project.create("other");
    const wrong = await errorOf(take(world, push("wrong")));
    for (const [env, project] of [["other"], ["none"], ["staging", "pf-none"], ["NOT A NAME"]] as const) {
      expect(await errorOf(take(world, push(world.secret), env, project))).toMatchObject({ code: "unauthorized", message: wrong.message });
    }
  });

  test("that comes again does nothing, by its id or by what was signed", async () => {
    const world = await scene();
    const first = push(world.secret, { n: 1 }, { id: "one" });
    await take(world, first);
    expect(await take(world, first)).toEqual({ status: "duplicate" });
    expect(await take(world, { ...first, id: "two" })).toEqual({ status: "duplicate" });
    expect(await take(world, push(world.secret, { n: 2 }, { id: "one" }))).toEqual({ status: "duplicate" });
    expect(await take(world, push(world.secret, { n: 3 }, { id: "three" }))).toEqual({ status: "accepted" });
  });

  test("without an id is known by what was signed, however that is written, and is no other than itself", async () => {
    const world = await scene();
    const first = push(world.secret, { n: 1 }, { id: null });
    expect(await take(world, first)).toEqual({ status: "accepted" });
    expect(await take(world, push(world.secret, { n: 2 }, { id: null }))).toEqual({ status: "accepted" });
    expect(await take(world, push(world.secret, { n: 3 }, { id: "" }))).toEqual({ status: "accepted" });
    const loud = `sha256=${first.signature?.slice("sha256=".length).toUpperCase()}`;
    expect(await take(world, { ...first, signature: loud })).toEqual({ status: "duplicate" });
  });

  test("as many deliveries are remembered as there is room for", async () => {
    const world = await scene();
    const first = push(world.secret, { n: 0 }, { id: "0" });
    await take(world, first);
    for (let n = 1; n < LIMITS.gitDeliveries; n++) await take(world, push(world.secret, { n }, { id: `${n}` }));
    expect(await take(world, first)).toEqual({ status: "duplicate" });
    await take(world, push(world.secret, { n: -1 }, { id: "-1" }));
    expect(await take(world, first)).toEqual({ status: "accepted" });
  });

  test.each<readonly [string, JsonObject, Partial<Delivery>, string]>([
    ["a ping", {}, { event: "ping" }, "pong"],
    ["another event", {}, { event: "issues" }, "ignored"],
    ["another branch", { ref: "refs/heads/other" }, {}, "ignored"],
    ["a tag of that name", { ref: "refs/tags/main" }, {}, "ignored"],
    ["the end of the branch", { deleted: true }, {}, "ignored"],
  ])("%s brings nothing in", async (_, body, more, status) => {
    const world = await scene();
    expect(await take(world, push(world.secret, body, more))).toEqual({ status });
    await work(world);
    expect(await world.project.revisionNumber("staging")).toBe(1);
  });

  test("that conflicts is refused, and told with what is in conflict; whoever settles it pulls by hand", async () => {
    const world = await scene();
    await world.project.set("staging", { "flows/a": { v: 9 } });
    await take(world, push(world.secret));
    await work(world);
    expect(await outcomeOf(world)).toMatchObject({
      waiting: false,
      outcome: { status: "refused", code: "merge_conflict", conflicts: ["flows/a"] },
    });
    const records = await documents(world.store, PROJECT, keys.auditPrefix);
    expect(records.at(-1)?.value).toMatchObject({
      action: "pull_refused",
      actor: "git-push",
      environment: "staging",
      details: { code: "merge_conflict" },
    });
    const { project, domain } = world;
    const order = { project: PROJECT, env: "staging", resolve: { "flows/a": "theirs" as Json } };
    expect(await domain.gitSources.pull(project.caller, { ...order, dry_run: true }, NEVER)).toMatchObject({
      status: "planned",
      applicable: true,
    });
    expect(await domain.gitSources.pull(project.caller, order, NEVER)).toMatchObject({ status: "updated" });
    expect(await project.state("staging")).toEqual({ flows: { a: { v: 1 } } });
  });

  test("into what is protected or held is refused as any change is", async () => {
    const world = await scene();
    await world.project.policy({ environments: { staging: { protected: true } } });
    await take(world, push(world.secret, { n: 1 }));
    await work(world);
    expect(await outcomeOf(world)).toMatchObject({ outcome: { status: "refused", code: "environment_protected" } });
    await world.project.policy({});
    await world.domain.environments.hold(world.project.caller, { project: PROJECT, env: "staging" });
    await take(world, push(world.secret, { n: 2 }));
    await work(world);
    expect(await outcomeOf(world)).toMatchObject({ outcome: { status: "refused", code: "checks_failed" } });
    expect(await world.project.state("staging")).toEqual({});
  });

  test("during a freeze waits for its end", async () => {
    const world = await scene();
    const freeze = [{ kind: "deny", cron: "0 0 1 1 *", duration: "1d", timezone: "UTC" }];
    await world.project.policy({ environments: { staging: { freeze } } });
    await take(world, push(world.secret));
    await work(world);
    expect(await outcomeOf(world)).toMatchObject({ waiting: true, outcome: { status: "refused" } });
    world.clock.time = Date.parse("2026-01-02T00:00:01.000Z");
    await work(world);
    expect(await outcomeOf(world)).toMatchObject({ waiting: false, outcome: { status: "updated" } });
  });

  test("to a repository that is away is tried again, later each time, and given up until the next one", async () => {
    const world = await scene();
    const { domain, project, clock, url } = world;
    await domain.gitSources.set(project.caller, PROJECT, "staging", { url: url.replace("/envm-", "/gone-"), branch: "main" });
    await take(world, push(world.secret));
    let tries = 0;
    for (; tries < LIMITS.gitPullAttempts + 3; tries++) {
      await work(world);
      const source = await outcomeOf(world);
      expect(source?.outcome).toMatchObject({ status: "failed", code: "repository_unavailable" });
      if (!source?.waiting) break;
      clock.time += LIMITS.gitRetryMs * 2 ** LIMITS.gitPullAttempts;
    }
    expect(tries).toBe(LIMITS.gitPullAttempts - 1);
  });

  test("of a rewritten history is refused, until somebody takes it by hand", async () => {
    const world = await scene();
    await take(world, push(world.secret, { n: 1 }));
    await work(world);
    world.tree.git("commit", "--quiet", "--amend", "--message", "Instead");
    await take(world, push(world.secret, { n: 2 }));
    await work(world);
    expect(await outcomeOf(world)).toMatchObject({ outcome: { status: "refused", code: "history_rewritten" } });
    const { domain, project } = world;
    expect(await domain.gitSources.pull(project.caller, { project: PROJECT, env: "staging", rewritten: true }, NEVER)).toMatchObject({
      status: "no_changes",
    });
  });

  test("that brings a secret among the vars is refused, and its value is in no document", async () => {
    const world = await scene();
    world.tree.commit("Oops", { "config/vars.json": { PAYMENT_TOKEN: "tok-3f9a2b7c" } });
    await take(world, push(world.secret));
    await work(world);
    expect(await outcomeOf(world)).toMatchObject({ outcome: { status: "refused", code: "secret_stays_secret" } });
    expect(JSON.stringify(await documents(world.store))).not.toContain("3f9a2b7c");
  });
});

describe("a source", () => {
  test("keeps its credential in the vault, shows it to nobody, and gives it to no other host", async () => {
    const world = await scene("x:p4ssw0rd-of-the-forge");
    await take(world, push(world.secret));
    await work(world);
    expect(await world.project.state("staging")).toEqual({ flows: { a: { v: 1 } } });
    const shown = await outcomeOf(world);
    expect(shown).toMatchObject({ has_credential: true });
    const kept = JSON.stringify([shown, await documents(world.store)]);
    expect(kept).not.toContain("p4ssw0rd");
    expect(kept).not.toContain(world.secret);
    const { domain, project } = world;
    const moved = await domain.gitSources.set(project.caller, PROJECT, "staging", {
      url: "https://elsewhere.example.com/x.git",
      branch: "main",
    });
    expect(moved.source).toMatchObject({ has_credential: false });
    expect(moved).not.toHaveProperty("hook_secret");
  });

  test("whose credential is gone from the vault says whose it was, and how to give it again", async () => {
    const world = await scene("x:p4ssw0rd-of-the-forge");
    const { credential } = await document<GitSourceDocument>(world.store, keys.gitSource("staging"));
    const [, env = "", name = "", id = ""] = /^(.*)\/(.*)@(.*)$/.exec(credential?.vault ?? "") ?? [];
    await world.vault.delete({ project: PROJECT, env, name, id });
    const error = await errorOf(world.domain.gitSources.pull(world.project.caller, { project: PROJECT, env: "staging" }, NEVER));
    expect(error).toMatchObject({
      code: "secret_unavailable",
      message: 'The credential of the repository that "staging" follows is gone from the vault.',
      fix: expect.stringContaining("envm git source set"),
    });
  });

  test("whose webhook's secret is made anew takes nothing that is signed with the old one", async () => {
    const world = await scene();
    const { domain, project, url } = world;
    const again = await domain.gitSources.set(project.caller, PROJECT, "staging", { url, branch: "main", rotate_hook: true });
    expect(again.hook_secret).not.toBe(world.secret);
    expect(await codeOf(take(world, push(world.secret)))).toBe("unauthorized");
    expect(await take(world, push(again.hook_secret ?? ""))).toEqual({ status: "accepted" });
  });

  test("that is removed is followed no more", async () => {
    const world = await scene();
    await take(world, push(world.secret));
    await world.domain.gitSources.remove(world.project.caller, PROJECT, "staging");
    await work(world);
    expect(await codeOf(take(world, push(world.secret)))).toBe("unauthorized");
    expect(await world.project.revisionNumber("staging")).toBe(1);
    expect(await codeOf(world.domain.gitSources.pull(world.project.caller, { project: PROJECT, env: "staging" }, NEVER))).toBe(
      "git_source_not_found",
    );
  });

  test.each(["../x", "a b", "-x", "x.lock", "x..y", "a//b", "/x", "x/", "@", "x@{1}", "a~1", "x".repeat(LIMITS.branchBytes + 1)])(
    "with %j for a branch is refused",
    async (branch) => {
      const { domain, project } = await openWorld({ repositories: { check: async () => {}, changeSince: () => Promise.reject() } });
      await project.create("staging");
      const url = "https://git.example.com/x.git";
      expect(await codeOf(domain.gitSources.set(project.caller, PROJECT, "staging", { url, branch }))).toBe("invalid_request");
    },
  );

  test.each(["..", "a/../b", "/a", "a/", "a//b", ".git", "a\\b", "x".repeat(LIMITS.folderBytes + 1)])(
    "with %j for a folder is refused",
    async (path) => {
      const { domain, project } = await openWorld({ repositories: { check: async () => {}, changeSince: () => Promise.reject() } });
      await project.create("staging");
      const source = { url: "https://git.example.com/x.git", branch: "x".repeat(LIMITS.branchBytes), path };
      expect(await codeOf(domain.gitSources.set(project.caller, PROJECT, "staging", source))).toBe("invalid_request");
      expect(
        await domain.gitSources.set(project.caller, PROJECT, "staging", { ...source, path: "y".repeat(LIMITS.folderBytes) }),
      ).toMatchObject({
        source: { branch: source.branch },
      });
    },
  );
});
