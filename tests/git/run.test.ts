import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type GitError, gitText, runGit, startGit } from "../../src/git/run.ts";
import { LIMITS } from "../../src/limits.ts";

const folder = mkdtempSync(join(tmpdir(), "git-run-"));
const repository = join(folder, "repository.git");
beforeAll(async () => void (await runGit(["init", "--bare", "--quiet", repository])));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

describe("git runs", () => {
  test("with a minimum of an environment, whatever this process has", async () => {
    vi.stubEnv("GIT_DIR", "/elsewhere");
    vi.stubEnv("GIT_AUTHOR_NAME", "somebody");
    vi.stubEnv("ENV_MANAGER_ADMIN_TOKEN", "a-token-that-nobody-sees");
    const seen = await gitText(["-c", "alias.see=!env", "see"]);
    expect(seen).not.toMatch(/elsewhere|somebody|a-token/);
    expect(seen).toContain("HOME=/nonexistent");
  });

  test("without anybody's configuration", async () => {
    vi.stubEnv("HOME", folder);
    vi.stubEnv("XDG_CONFIG_HOME", folder);
    writeFileSync(join(folder, ".gitconfig"), "[user]\n\tname = somebody\n");
    await expect(gitText(["config", "user.name"])).rejects.toMatchObject({ exitCode: 1 });
    expect(await gitText(["config", "core.hooksPath"])).toBe("/dev/null");
    expect(await gitText(["config", "user.name"], { config: { "user.name": "engine" } })).toBe("engine");
  });

  test("without hooks of the repository", async () => {
    writeFileSync(join(repository, "hooks", "reference-transaction"), `#!/bin/sh\ntouch ${folder}/ran\n`, { mode: 0o755 });
    const tree = await gitText(["mktree"], { repository });
    await runGit(
      ["update-ref", "refs/heads/x", await gitText(["-c", "user.name=x", "-c", "user.email=x", "commit-tree", tree], { repository })],
      {
        repository,
      },
    );
    expect(() => readFileSync(join(folder, "ran"))).toThrow("ENOENT");
  });

  test.each(["https://example.invalid/x", "ssh://example.invalid/x", "git://example.invalid/x", "ext::sh -c true", "/etc"])(
    "without a transport that it was not given: %s",
    async (url) => {
      await expect(runGit(["ls-remote", url])).rejects.toMatchObject({ stderr: expect.stringContaining("not allowed") });
    },
  );

  test("with what it is given to read, and gives what it writes", async () => {
    expect(await gitText(["hash-object", "--stdin"], { input: "hello\n", repository })).toBe("ce013625030ba8dba906f756967f9e9ca394464a");
  });
});

describe("a git that does not end well", () => {
  test("says how it ended, and the end of what it said", async () => {
    const error = await failure(runGit(["rev-parse", "--verify", "nothing"], { repository }));
    expect(error).toMatchObject({ exitCode: 128, stderr: expect.stringContaining("Needed a single revision") });
    expect((await failure(runGit(["-c", "alias.say=!yes x | head -c 100000 >&2; false", "say"]))).stderr).toHaveLength(
      LIMITS.gitErrorLength,
    );
  });

  test("is ended with all that it started once its time is over", async () => {
    const server = createServer(() => {}); // Takes requests, and answers none.
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const asked = new Promise<void>((resolve) => server.once("request", (request) => request.socket.once("close", () => resolve())));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
    await expect(runGit(["ls-remote", url], { protocols: ["http"], timeoutMs: 4_000 })).rejects.toThrow("took longer than 4 seconds");
    await asked; // The helper that asked is gone too: its connection is closed.
    await new Promise((resolve) => server.close(resolve));
  });

  test("is ended by a signal, before it begins too", async () => {
    await expect(runGit(["cat-file", "--batch"], { repository, signal: AbortSignal.abort() })).rejects.toThrow("was stopped");
    const stop = new AbortController();
    const git = startGit(["cat-file", "--batch"], { repository, signal: stop.signal });
    stop.abort();
    await expect(git.ended).rejects.toThrow("was stopped");
  });

  test("writes as much as it may, and not one byte more", async () => {
    const input = "x".repeat(100);
    const id = await gitText(["hash-object", "-w", "--stdin"], { repository, input });
    expect(await runGit(["cat-file", "blob", id], { repository, maxBytes: 100 })).toHaveLength(100);
    await expect(runGit(["cat-file", "blob", id], { repository, maxBytes: 99 })).rejects.toThrow("more than 99 bytes");
  });

  test("is named with the command that installs it where there is none", async () => {
    vi.stubEnv("PATH", folder);
    await expect(runGit(["version"])).rejects.toMatchObject({
      code: "git_unavailable",
      fix: expect.stringContaining("apt-get install git"),
    });
  });
});

async function failure(work: Promise<unknown>): Promise<GitError> {
  return work.then(
    () => expect.fail("it ended well"),
    (error: GitError) => error,
  );
}
