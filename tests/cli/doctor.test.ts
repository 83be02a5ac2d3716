import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Engine } from "../support/engine.ts";
import { Cli, ended } from "./support.ts";

const mounted = (folder: string) => spawnSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]).status === 0;

test("an engine whose disk is full is told by doctor, which ends with 1 and says what to do", async ({ skip }) => {
  const disk = mkdtempSync(join(tmpdir(), "envm-full-"));
  if (!mounted(disk)) {
    rmSync(disk, { recursive: true });
    skip("this user may not mount a small disk");
  }
  const engine = await new Engine({ env: { STORE_URL: `sqlite:${join(disk, "env.db")}` } }).start();
  const cli = new Cli({ ENVM_URL: engine.url });
  try {
    expect((await cli.run(["doctor"])).out).toContain("✓ store: ok");
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(join(disk, "filler"), Buffer.alloc(bavail * bsize));
    const { code, out } = await cli.run(["doctor"]);
    expect(code).toBe(1);
    expect(out).toContain("✗ store: The disk is full");
    expect(out).toContain("df -h");
    expect(out).toContain("Do not stop the engine before.");
  } finally {
    cli.dispose();
    await engine.dispose();
    spawnSync("umount", [disk]);
    rmSync(disk, { recursive: true, force: true });
  }
});

test.each([
  ["a pipe", "is no regular file", (path: string) => spawnSync("mkfifo", [path])],
  ["a folder", "is a folder", (path: string) => mkdirSync(path)],
] as const)(".envm.json that is %s is told, and not waited for", async (_, what, make) => {
  const cli = new Cli({ ENVM_URL: "http://127.0.0.1:1" });
  try {
    make(join(cli.folder, ".envm.json"));
    const child = cli.start(["doctor"]);
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    const { code, err } = await ended(child);
    clearTimeout(timer);
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining(`.envm.json ${what}.`) });
    expect(err).toContain("Remove it");
  } finally {
    cli.dispose();
  }
});
