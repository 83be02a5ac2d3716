import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { makeScratch, sweepScratch, withScratch } from "../../src/git/scratch.ts";
import { LIMITS } from "../../src/limits.ts";
import { Engine } from "../support/engine.ts";
import { folder } from "./support.ts";

const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbi1zc2g=\n-----END OPENSSH PRIVATE KEY-----";

const machine = (name: string) => createHash("sha256").update(name).digest("hex").slice(0, 8);
/** Containers may share the host's name, and number their processes alike. */
const namespace = process.platform === "linux" ? readlinkSync("/proc/self/ns/pid") : "";
const HERE = machine(hostname() + namespace);
const onLinux = test.runIf(process.platform === "linux");
/** Above what any system gives. */
const NOBODY = 2 ** 31 - 1;

/** A folder for temporary ones that nobody else uses. */
function ownTemporary(): string {
  const where = folder();
  vi.stubEnv("TMPDIR", where);
  onTestFinished(() => void vi.unstubAllEnvs());
  return where;
}

/** Puts a folder there as another process would have left it. */
function left(where: string, name: string, ageMs = 0): string {
  mkdirSync(join(where, name));
  writeFileSync(join(where, name, "key"), "a key");
  const at = new Date(Date.now() - ageMs);
  utimesSync(join(where, name), at, at);
  return name;
}

test("what a dead process of this machine left behind goes, and what one that lives uses stays", async () => {
  const where = ownTemporary();
  left(where, `envm-ssh-${HERE}-${NOBODY}-12345-abcDEF`);
  left(where, `envm-repositories-${HERE}-${NOBODY}-12345-abcDEF`);
  // Another process has this one's number since.
  if (process.platform === "linux") left(where, `envm-git-${HERE}-${process.pid}-1-abcDEF`);
  const own = await makeScratch("ssh");
  await sweepScratch();
  expect(readdirSync(where).map((name) => join(where, name))).toEqual([own]);
});

/** When a process began, as the system counts it, and the letter of its state. */
function statOf(pid: number): { readonly state: string; readonly start: string } {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const members = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: members[0] ?? "", start: members[19] ?? "" };
}

onLinux("what belongs to a process that was killed goes, though nobody has asked yet how it ended", async () => {
  const where = ownTemporary();
  // Its parent never asks.
  const parent = spawn("sh", ["-c", "sleep 600 & echo $!; exec sleep 600"], {
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  onTestFinished(() => void process.kill(-(parent.pid as number), "SIGKILL"));
  const [said] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(said.toString());
  const { start } = statOf(pid);
  const name = left(where, `envm-ssh-${HERE}-${pid}-${start}-abcDEF`);
  expect(await sweepScratch()).toBe(0);
  expect(readdirSync(where)).toEqual([name]);
  process.kill(pid, "SIGKILL");
  await vi.waitUntil(() => statOf(pid).state === "Z", { timeout: 60_000, interval: 5 });
  expect(await sweepScratch()).toBe(1);
  expect(readdirSync(where)).toEqual([]);
});

test("what belongs to a process that lives stays where the system did not say when it began", async () => {
  const where = ownTemporary();
  const name = left(where, `envm-ssh-${HERE}-${process.pid}-0-abcDEF`);
  expect(await sweepScratch()).toBe(0);
  expect(readdirSync(where)).toEqual([name]);
});

test("of another machine, whose processes cannot be asked, what is too old to be used goes, and nothing else", async () => {
  const where = ownTemporary();
  const there = machine(`${hostname()}of another container`);
  left(where, `envm-ssh-${there}-1-12345-abcDEF`, LIMITS.scratchAgeMs + 60_000);
  const stays = [
    left(where, `envm-git-${there}-1-12345-abcDEF`, LIMITS.scratchAgeMs - 60_000),
    // An engine may run for years.
    left(where, `envm-repositories-${there}-1-12345-abcDEF`, LIMITS.scratchAgeMs + 60_000),
  ];
  expect(await sweepScratch()).toBe(1);
  expect(readdirSync(where).sort()).toEqual(stays.sort());
});

test("what only looks like one is nobody's business", async () => {
  const where = ownTemporary();
  const target = left(where, "envm-git-of-somebody");
  const link = `envm-git-${HERE}-${NOBODY}-12345-abcDEF`;
  symlinkSync(join(where, target), join(where, link));
  writeFileSync(join(where, `envm-ssh-${HERE}-${NOBODY}-12345-abcDEF`), "a file");
  expect(await sweepScratch()).toBe(0);
  expect(readdirSync(where)).toHaveLength(3);
  expect(readdirSync(join(where, target))).toEqual(["key"]);
});

test("one that is used is gone when that ends, however", async () => {
  const where = ownTemporary();
  const failed = withScratch("git", async (scratch) => {
    writeFileSync(join(scratch, "x"), "x");
    throw new Error("on purpose");
  });
  await expect(failed).rejects.toThrow("on purpose");
  expect(readdirSync(where)).toEqual([]);
});

interface Silence {
  readonly port: number;
  /** Resolves when git has come by http. */
  readonly getCame: Promise<void>;
  /** Resolves when ssh has come, which waits no longer than `LIMITS.connectMs`. */
  readonly sshCame: Promise<void>;
}

/** Takes connections and never answers. */
async function silence(): Promise<Silence> {
  const sockets = new Set<Socket>();
  const came = new Map<string, () => void>();
  const arrival = (begin: string) => new Promise<void>((resolve) => came.set(begin, resolve));
  const [getCame, sshCame] = [arrival("GET "), arrival("SSH-")];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (piece: Buffer) => came.get(piece.toString("latin1", 0, 4))?.());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, getCame, sshCame };
}

test("what an engine that is killed while it fetches and pushes leaves behind, a private key too, goes with the next start", async () => {
  const where = folder();
  const { port, getCame, sshCame } = await silence();
  const masterKey = randomBytes(32).toString("base64");
  const env = { STORE_URL: "memory:", ENV_MANAGER_MASTER_KEY: masterKey, TMPDIR: where, GIT_ALLOW: "127.0.0.1", GIT_PATH: "" };
  const engine = new Engine({ env });
  onTestFinished(() => engine.dispose());
  await engine.start();
  await engine.request("POST", "/env/create", { project_id: "pf-1", new_environment: "staging" });
  const url = `http://127.0.0.1:${port}/x.git`;
  expect(await engine.request("PUT", "/env/pf-1/staging/git", { url, branch: "main" })).toMatchObject({ status: 200 });
  const pull = engine.request("POST", "/env/pf-1/staging/git/pull", {}).catch(() => {});
  await getCame;
  const mirror = { url: `ssh://git@127.0.0.1:${port}/x.git`, ssh_key: KEY, host_keys: [HOST_KEY] };
  expect(await engine.request("PUT", "/env/pf-1/git/mirror", mirror)).toMatchObject({ status: 200 });
  await sshCame;
  const kinds = () => readdirSync(where).flatMap((name) => /^envm-(git|ssh|repositories)-/.exec(name)?.[1] ?? []);
  expect(kinds().sort()).toEqual(["git", "repositories", "ssh"]);
  const before = readdirSync(where);
  await engine.kill9();
  await pull;
  expect(kinds().sort()).toEqual(["git", "repositories", "ssh"]);
  await engine.start();
  expect(kinds()).toEqual(["repositories"]);
  expect(before).not.toContain(readdirSync(where)[0]);
  await engine.stop();
  expect(kinds()).toEqual([]);
}, 120_000);
