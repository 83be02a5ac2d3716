import { realpath, writeFile } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { AllowList } from "../engines/address.ts";
import type { Lookup } from "../engines/lookup.ts";
import { allowedAddresses, pinOf, withoutLastDots } from "../engines/repository-pins.ts";
import { AppError } from "../errors.ts";
import { httpConfig } from "../git/http-config.ts";
import type { GitOptions } from "../git/run.ts";
import { makeScratch, removeScratch } from "../git/scratch.ts";
import { LIMITS } from "../limits.ts";
import type { MirrorTarget } from "../ports.ts";

export interface RemoteOptions {
  /** Hosts and networks besides public ones; plain http goes there alone. */
  readonly allow: AllowList;
  /** Folders below which `file://` may lead. */
  readonly folders: readonly string[];
  /** Tests replace it. */
  readonly lookup?: Lookup;
}

/** The way to a repository elsewhere, for one run of git. */
export interface Way extends Pick<GitOptions, "protocols" | "config" | "env"> {
  readonly url: string;
  close(): Promise<void>;
}

type Scheme = "https" | "http" | "ssh" | "file";

interface Remote {
  readonly scheme: Scheme;
  readonly url: URL;
  readonly host: string;
}

const PORTS: Readonly<Record<string, string>> = { https: "443", http: "80", ssh: "22" };
const HOST_KEY = /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]{20,8000}={0,2}$/;

/** @throws target_not_allowed, invalid_request */
export async function checkRemote(target: MirrorTarget, options: RemoteOptions): Promise<void> {
  await pinned(parseRemote(target, options), options).catch((error: unknown) => {
    // A name that leads nowhere now may get an address: it is looked at again before each push.
    if (!(error instanceof AppError) || error.code !== "mirror_unavailable") throw error;
  });
}

/**
 * Opens the way to a remote: what its name leads to is looked at now, and git connects to what was looked at. The credential reaches git
 * through its environment, or in a file that nobody else may read, and that `close` takes away; never by an argument.
 */
export async function openRemote(target: MirrorTarget, options: RemoteOptions): Promise<Way> {
  const remote = parseRemote(target, options);
  const addresses = await pinned(remote, options);
  const { scheme, url, host } = remote;
  const close = async () => {};
  if (scheme === "file") return { url: url.href, protocols: ["file"], close };
  if (scheme === "ssh") return sshWay(remote, addresses[0] ?? host, target);
  const shown = target.credential === null ? null : { username: target.username ?? "git", password: target.credential };
  const config = {
    ...(await httpConfig(url, pinOf(url, addresses), shown)),
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": String(LIMITS.mirrorStallMs / 1_000),
  };
  return { url: url.href, protocols: [scheme], config, close };
}

async function sshWay({ url, host }: Remote, address: string, { credential, host_keys }: MirrorTarget): Promise<Way> {
  const folder = await makeScratch("ssh");
  const close = () => removeScratch(folder);
  try {
    const [key, known] = [join(folder, "key"), join(folder, "known_hosts")];
    await writeFile(key, `${(credential ?? "").trim()}\n`, { mode: 0o600 });
    await writeFile(known, host_keys.map((line) => `${host} ${line}\n`).join(""), { mode: 0o600 });
    const settings = {
      IdentityFile: key,
      IdentitiesOnly: "yes",
      IdentityAgent: "none",
      BatchMode: "yes",
      PasswordAuthentication: "no",
      StrictHostKeyChecking: "yes",
      UserKnownHostsFile: known,
      GlobalKnownHostsFile: "/dev/null",
      HostName: address,
      HostKeyAlias: host,
      CheckHostIP: "no",
      ConnectTimeout: String(LIMITS.connectMs / 1_000),
      ServerAliveInterval: "15",
      ProxyCommand: "none",
      PermitLocalCommand: "no",
      ForwardAgent: "no",
      ClearAllForwardings: "yes",
    };
    const words = Object.entries(settings).map(([name, value]) => `-o ${name}=${value}`);
    return {
      url: url.href,
      protocols: ["ssh"],
      env: { GIT_SSH_COMMAND: ["ssh", "-F", "/dev/null", ...words].join(" "), GIT_SSH_VARIANT: "ssh" },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function parseRemote({ url: text, username, credential, host_keys }: MirrorTarget, { allow }: RemoteOptions): Remote {
  const url = urlOf(text);
  if (url.hostname.endsWith(".")) url.hostname = withoutLastDots(url.hostname);
  const scheme = url.protocol.slice(0, -1) as Scheme;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!["https", "http", "ssh", "file"].includes(scheme)) {
    throw notAllowed("A mirror's URL begins with https:// or ssh://.", "Give the address that you would push to.");
  }
  if (url.search !== "" || url.hash !== "") throw notAllowed("A mirror's URL has neither a query nor a fragment.", "Leave them out.");
  if (url.password !== "" || (scheme !== "ssh" && url.username !== "")) {
    throw notAllowed("The URL holds a name or a password.", "Send the name as `username`, and the password as `token`.");
  }
  if (scheme === "ssh") checkSsh(url, host, credential, host_keys);
  else if (host_keys.length > 0) throw invalid("`host_keys` are of mirrors by ssh.", "Leave them out.");
  if (username !== null && !/^[A-Za-z0-9._@+-]{1,100}$/.test(username))
    throw invalid("The `username` is none.", "Send letters, digits and `._@+-`.");
  const isAllowed = allow.hasName(host) || allow.hasAddress(host);
  if (scheme === "http" && !isAllowed) {
    throw notAllowed(
      "By plain http, everybody on the way would see the token.",
      "Give an https URL, or ask the operator to allow this host (GIT_ALLOW).",
    );
  }
  if (url.port !== "" && url.port !== PORTS[scheme] && Number(url.port) < 1_024 && !isAllowed) {
    throw notAllowed("The URL's port is one of another service.", "Use the usual port, or one from 1024 on.");
  }
  return { scheme, url, host };
}

function checkSsh(url: URL, host: string, credential: string | null, hostKeys: readonly string[]): void {
  if (!/^[A-Za-z0-9:][A-Za-z0-9._:-]*$/.test(host) || !/^[A-Za-z0-9._-]{0,100}$/.test(url.username) || url.username.startsWith("-")) {
    throw notAllowed("The URL's host or user is none that ssh takes.", "Give an address such as ssh://git@example.com/team/platform.git.");
  }
  if (credential?.includes("PRIVATE KEY-----") !== true) {
    throw invalid(
      "A mirror by ssh needs a private key.",
      "Send `ssh_key`: the text of a key file without a passphrase, of an account that may push there.",
    );
  }
  if (hasPassphrase(credential)) {
    throw invalid(
      "The private key has a passphrase, and nobody is there to type it.",
      "Send `ssh_key` without one: make a key for this mirror alone (ssh-keygen -t ed25519 -N ''), or take it away from a copy (ssh-keygen -p).",
    );
  }
  if (hostKeys.length > 0 && hostKeys.every((line) => HOST_KEY.test(line))) return;
  throw invalid(
    "A mirror by ssh needs the public keys of its host, by which the engine knows it.",
    `Send \`host_keys\`: what \`ssh-keyscan ${host}\` prints, without the name at the beginning of each line, after comparing it with what the host publishes.`,
  );
}

/** What OpenSSH's own format says after its mark: with which cipher the key is sealed. */
const UNSEALED = Buffer.from("openssh-key-v1\0\0\0\0\x04none");

function hasPassphrase(key: string): boolean {
  const [, body] = /BEGIN OPENSSH PRIVATE KEY-----([^-]*)/.exec(key) ?? [];
  if (body === undefined) return /ENCRYPTED/.test(key);
  const head = Buffer.from(body, "base64").subarray(0, UNSEALED.length);
  return head.length === UNSEALED.length && !head.equals(UNSEALED);
}

/** Also as scp has it: `git@example.com:team/platform.git`. */
function urlOf(text: string): URL {
  const [, user, host, path] = /^([A-Za-z0-9._-]+)@([A-Za-z0-9.-]+):(?!\/\/)(.+)$/.exec(text) ?? [];
  const written = path === undefined ? text : `ssh://${user}@${host}/${path.replace(/^\//, "")}`;
  if (written.length <= LIMITS.urlLength && URL.canParse(written)) return new URL(written);
  throw notAllowed("The mirror's URL is none.", "Give an address such as https://example.com/team/platform.git.");
}

/** The addresses that the host has now, all of them allowed; none of a folder. */
async function pinned({ scheme, url, host }: Remote, { allow, folders, lookup }: RemoteOptions): Promise<readonly string[]> {
  if (scheme === "file") {
    await checkFolder(url, folders);
    return [];
  }
  const found = await allowedAddresses(host, { allow, ...(lookup && { lookup }) });
  if (found.length === 0) throw new AppError("mirror_unavailable", { reason: `The host "${host}" has no address.` });
  return found;
}

/** Where it leads in the end counts, links included. */
async function checkFolder(url: URL, folders: readonly string[]): Promise<void> {
  const path = url.host === "" ? await realpath(fileURLToPath(url)).catch(() => null) : null;
  const roots = await Promise.all(folders.map((folder) => realpath(resolve(folder)).catch(() => null)));
  if (path !== null && roots.some((root) => root !== null && path.startsWith(root + sep))) return;
  throw notAllowed(
    "A folder of the engine's machine is no mirror, unless the operator allows it.",
    "Give an https or ssh URL, or ask the operator to allow the folder (GIT_ALLOW_FOLDERS).",
  );
}

function notAllowed(reason: string, fix: string): AppError {
  return new AppError("target_not_allowed", { reason, fix });
}

function invalid(reason: string, fix: string): AppError {
  return new AppError("invalid_request", { reason, fix });
}
