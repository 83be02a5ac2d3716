import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { AllowList } from "../../src/engines/address.ts";
import { LIMITS } from "../../src/limits.ts";
import type { MirrorTarget } from "../../src/ports.ts";
import { checkRemote, openRemote, type RemoteOptions } from "../../src/repositories/remotes.ts";
import { folder } from "./support.ts";

const KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----";
const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const NAMES: Readonly<Record<string, readonly string[]>> = {
  "git.example.com": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
  "half.example.com": ["93.184.215.14", "10.0.0.7"],
  "inner.example.com": ["10.0.0.7"],
};

function options(more: Partial<RemoteOptions> = {}): RemoteOptions {
  return { allow: new AllowList(), folders: [], lookup: async (host) => NAMES[host] ?? [], ...more };
}

function target(url: string, more: Partial<MirrorTarget> = {}): MirrorTarget {
  return { url, username: null, host_keys: [], credential: null, ...more };
}

describe("a mirror may not be at", () => {
  test.each([
    "not a url",
    "ftp://git.example.com/x",
    "git://git.example.com/x",
    "ext::sh -c touch% /tmp/x",
    "--upload-pack=touch /tmp/x",
    "http://git.example.com/x",
    "https://ann:secret@git.example.com/x",
    "https://ann@git.example.com/x",
    "https://git.example.com/x?y=1",
    "https://git.example.com:25/x",
    "https://127.0.0.1/x",
    "https://[::1]/x",
    "https://169.254.169.254/x",
    "https://0x7f000001/x",
    "https://inner.example.com/x",
    "https://half.example.com/x",
    "file:///etc/passwd",
    "file://git.example.com/x",
    `https://git.example.com/${"x".repeat(LIMITS.urlLength)}`,
  ])("%s", async (url) => {
    await expect(checkRemote(target(url), options())).rejects.toMatchObject({
      code: "target_not_allowed",
      fix: expect.stringMatching(/\S/),
    });
  });

  test.each(["ssh://-oProxyCommand=x/y", "ssh://git:pw@git.example.com/x", "ssh://127.0.0.1/x", "ssh://inner.example.com/x"])(
    "%s",
    async (url) => {
      const found = checkRemote(target(url, { credential: KEY, host_keys: [HOST_KEY] }), options());
      await expect(found).rejects.toMatchObject({ code: "target_not_allowed" });
    },
  );

  test("a link that leads out of an allowed folder", async () => {
    const [allowed, other] = [folder(), folder()];
    mkdirSync(join(allowed, "in"));
    symlinkSync(other, join(allowed, "out"));
    const given = options({ folders: [allowed] });
    await expect(checkRemote(target(pathToFileURL(join(allowed, "in")).href), given)).resolves.toBeUndefined();
    for (const path of [join(allowed, "out"), allowed, other, join(allowed, "none")]) {
      await expect(checkRemote(target(pathToFileURL(path).href), given), path).rejects.toMatchObject({ code: "target_not_allowed" });
    }
  });
});

describe("what the operator allows may be private, and plain http:", () => {
  test.each([
    ["http://inner.example.com:8080/x", ["inner.example.com"]],
    ["https://inner.example.com/x", ["10.0.0.0/8"]],
    ["http://10.0.0.7/x", ["10.0.0.0/8"]],
  ])("%s with %j", async (url, allow) => {
    await expect(checkRemote(target(url), options({ allow: new AllowList(allow) }))).resolves.toBeUndefined();
  });
});

describe("the way to a mirror", () => {
  test("by https leads to the addresses that were checked, with the token in no argument", async () => {
    const way = await openRemote(target("https://git.example.com/x.git", { username: "bot", credential: "t0ken" }), options());
    expect(way.url).toBe("https://git.example.com/x.git");
    expect(way.protocols).toEqual(["https"]);
    expect(way.config).toMatchObject({
      "http.curloptResolve": "git.example.com:443:93.184.215.14,[2606:2800:21f:cb07:6820:80da:af6b:8b2c]",
      "http.https://git.example.com/.extraHeader": `Authorization: Basic ${Buffer.from("bot:t0ken").toString("base64")}`,
    });
  });

  test.each([".", "..", "...."])("whose name has %s at its end is pinned without", async (dots) => {
    const way = await openRemote(target(`https://git.example.com${dots}/x.git`), options());
    expect(way.url).toBe("https://git.example.com/x.git");
    expect(way.config).toMatchObject({ "http.curloptResolve": expect.stringMatching(/^git\.example\.com:443:/) });
    await expect(openRemote(target(`https://127.0.0.1${dots}/x.git`), options())).rejects.toMatchObject({ code: "target_not_allowed" });
  });

  test("by ssh has the key in a file that nobody else may read, for as long as it is open", async () => {
    const way = await openRemote(target("git@git.example.com:team/x.git", { credential: KEY, host_keys: [HOST_KEY] }), options());
    const command = way.env?.GIT_SSH_COMMAND ?? "";
    const [, key = ""] = /IdentityFile=(\S+)/.exec(command) ?? [];
    const [, known = ""] = /UserKnownHostsFile=(\S+)/.exec(command) ?? [];
    expect(way.url).toBe("ssh://git@git.example.com/team/x.git");
    expect(command).toContain("StrictHostKeyChecking=yes");
    expect(command).toContain("HostName=93.184.215.14");
    expect(command).not.toContain("OPENSSH");
    expect([statSync(key).mode & 0o777, readFileSync(key, "utf8")]).toEqual([0o600, `${KEY}\n`]);
    expect(readFileSync(known, "utf8")).toBe(`git.example.com ${HOST_KEY}\n`);
    await way.close();
    expect(() => statSync(key)).toThrow("ENOENT");
  });

  test("leads nowhere where the name has no address", async () => {
    await expect(openRemote(target("https://gone.example.com/x"), options())).rejects.toMatchObject({ code: "mirror_unavailable" });
    await expect(checkRemote(target("https://gone.example.com/x"), options())).resolves.toBeUndefined();
  });
});

test.each([
  ["OpenSSH's own", [["-t", "ed25519"]]],
  [
    "OpenSSL's",
    [
      ["-t", "rsa", "-b", "2048", "-m", "PEM"],
      ["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
    ],
  ],
])("a key of %s format is taken as it is, and refused where it has a passphrase, which nobody would type", async (_format, kinds) => {
  for (const [index, kind] of kinds.entries()) {
    for (const passphrase of ["", "pass phrase"]) {
      const file = join(folder(), `key-${index}`);
      execFileSync("ssh-keygen", ["-q", ...kind, "-N", passphrase, "-f", file]);
      const given = { credential: readFileSync(file, "utf8"), host_keys: [HOST_KEY] };
      const found = checkRemote(target("ssh://git@git.example.com/x", given), options());
      if (passphrase === "") await found;
      else await expect(found).rejects.toMatchObject({ code: "invalid_request", message: expect.stringContaining("has a passphrase") });
    }
  }
});

test.each([
  ["no key", { host_keys: [HOST_KEY] }],
  ["a key that is none", { credential: "a password", host_keys: [HOST_KEY] }],
  ["no keys of the host", { credential: KEY }],
  ["keys of the host that are none", { credential: KEY, host_keys: [`${HOST_KEY}\nevil ssh-rsa x`] }],
])("by ssh with %s is refused, with what to send", async (_what, given) => {
  const found = checkRemote(target("ssh://git@git.example.com/x", given), options());
  await expect(found).rejects.toMatchObject({ code: "invalid_request", fix: expect.stringMatching(/Send `(ssh_key|host_keys)`/) });
});
