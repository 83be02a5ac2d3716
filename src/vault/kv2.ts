import type { AppError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { Json, SecretEntry } from "../ports.ts";
import { errorsIn, Kv2Client } from "./kv2-client.ts";
import { SUBJECT, type Timers, TokenRequests } from "./kv2-lease.ts";
import { entryPath, partsOf } from "./kv2-paths.ts";
import { type Kv2Credentials, type Kv2Session, sessionWith } from "./kv2-session.ts";
import { malformed, memberOf, type Remote, type RemoteEntries, type RemoteReply, refused, told, unavailable } from "./remote.ts";

export interface Kv2Settings {
  /** The path of a KV version 2 mount: `secret`. */
  readonly mount: string;
  /** What the engine's entries lie below, in that mount. */
  readonly prefix: string;
  readonly namespace: string | null;
  readonly credentials: Kv2Credentials;
}

interface Kv2Parts {
  readonly remote: Remote;
  /** A second way to the same vault: see `Kv2Client`. */
  readonly aside: Remote;
  readonly timers: Timers;
  /** Told what an operator should do about the token, ahead of time. */
  readonly warn: (notice: string) => void;
}

/**
 * HashiCorp Vault and OpenBao: KV version 2, with one path and one version for each entry. The policy that it needs:
 *
 *     path "<mount>/data/<prefix>/*"     { capabilities = ["create", "read"] }
 *     path "<mount>/subkeys/<prefix>/*"  { capabilities = ["read"] }
 *     path "<mount>/metadata/<prefix>/*" { capabilities = ["delete"] }
 */
export class Kv2Entries implements RemoteEntries {
  readonly #client: Kv2Client;
  readonly #session: Kv2Session;
  readonly #mount: readonly string[];
  readonly #prefix: readonly string[];
  #checking: Promise<void> | null = null;

  /** @throws AppError `invalid_request` where mount or prefix is no path */
  constructor(settings: Kv2Settings, { remote, aside, timers, warn }: Kv2Parts) {
    this.#mount = partsOf("VAULT_MOUNT", settings.mount);
    this.#prefix = partsOf("VAULT_PREFIX", settings.prefix);
    const requests = new TokenRequests(remote, settings.namespace);
    this.#session = sessionWith(settings.credentials, requests, timers, warn);
    this.#client = new Kv2Client({ remote, aside, session: this.#session, requests, timers });
  }

  /** Creates, never overwrites: where the entry exists with the same value, an earlier attempt made it. */
  async put(entry: SecretEntry, value: string): Promise<void> {
    const json: Json = { options: { cas: 0 }, data: { value } };
    const reply = await this.#ask("POST", "data", entry, json);
    const doing = "keeping a secret";
    if (reply.status === 204) return;
    if (reply.status === 200) {
      const end = memberOf(reply.json(), "data", "deletion_time");
      // The version's number alone says as well that it is kept; what does not end need not be told.
      if (end === undefined && typeof memberOf(reply.json(), "data", "version") !== "number") throw malformed(SUBJECT, doing, reply);
      if (end !== undefined && end !== "") throw shortLived();
      return;
    }
    // Without the right to update, what exists is forbidden rather than in the way.
    if (!isTaken(reply) && reply.status !== 403) throw this.#refusal(reply, doing);
    const found = await this.get(entry);
    if (found === value) return;
    if (found === null) throw this.#refusal(reply, doing);
    throw new Error(`The vault entry ${told(entry)} exists with another value, and entries are never reused.`);
  }

  async get(entry: SecretEntry): Promise<string | null> {
    const reply = await this.#ask("GET", "data", entry);
    const doing = "reading a secret";
    if (isMissing(reply)) return null;
    if (reply.status !== 200) throw this.#refusal(reply, doing);
    const value = memberOf(reply.json(), "data", "data", "value");
    if (typeof value !== "string") throw malformed(SUBJECT, doing, reply);
    return value;
  }

  /** Asks for the names of what the entry holds. A vault that cannot tell those is asked for the entry itself. */
  async has(entry: SecretEntry): Promise<boolean> {
    const reply = await this.#ask("GET", "subkeys", entry);
    if (isMissing(reply)) return false;
    if (reply.status === 200 && memberOf(reply.json(), "data", "subkeys", "value") === null) return true;
    return (await this.get(entry)) !== null;
  }

  /** Metadata and all versions: nothing stays that could be undeleted. */
  async delete(entry: SecretEntry): Promise<void> {
    const reply = await this.#ask("DELETE", "metadata", entry);
    const doing = "removing a secret";
    if (reply.status === 204 || isMissing(reply)) return;
    if (reply.status !== 200) throw this.#refusal(reply, doing);
    // With warnings perhaps; but a page that somebody else shows says nothing about the entry.
    if (typeof memberOf(reply.json(), "request_id") !== "string") throw malformed(SUBJECT, doing, reply);
  }

  notice(): string | null {
    return this.#session.notice();
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #ask(
    method: "GET" | "POST" | "DELETE",
    what: "data" | "subkeys" | "metadata",
    entry: SecretEntry,
    json?: Json,
  ): Promise<RemoteReply> {
    await this.#mounted();
    return this.#client.call([...this.#mount, what, ...entryPath(this.#prefix, entry)], { method, ...(json !== undefined && { json }) });
  }

  /** Once, unless it fails: version 1 would take what is written for version 2 as other paths, and keep it there. */
  #mounted(): Promise<void> {
    this.#checking ??= this.#checkMount().catch((error: unknown) => {
      this.#checking = null;
      throw error;
    });
    return this.#checking;
  }

  async #checkMount(): Promise<void> {
    const reply = await this.#client.call(["sys", "internal", "ui", "mounts", ...this.#mount], { method: "GET" });
    const mount = this.#mount.join("/");
    if (reply.status === 403) {
      throw unavailable(
        SUBJECT,
        `knows no mount ${mount} that this token may use`,
        "Set VAULT_MOUNT to the path of a KV version 2 mount, or VAULT_TOKEN (VAULT_ROLE_ID, VAULT_SECRET_ID) to what may use it.",
      );
    }
    if (reply.status !== 200) throw this.#refusal(reply, `the question for the mount ${mount}`);
    const data = memberOf(reply.json(), "data") ?? null;
    const path = memberOf(data, "path");
    if (!isObject(data) || (path !== undefined && typeof path !== "string"))
      throw malformed(SUBJECT, `the question for the mount ${mount}`, reply);
    if (path !== undefined && path !== `${mount}/`) {
      throw unavailable(
        SUBJECT,
        `has no mount ${mount}: that is a path in the mount ${path}`,
        `Set VAULT_MOUNT=${path.replace(/\/$/, "")}, and put the rest into VAULT_PREFIX.`,
      );
    }
    if (memberOf(data, "options", "version") !== "2") {
      throw unavailable(
        SUBJECT,
        `has a mount ${mount} that is not of KV version 2`,
        `Enable versioning (\`vault kv enable-versioning ${mount}\`), or set VAULT_MOUNT to another mount.`,
      );
    }
  }

  #refusal(reply: RemoteReply, doing: string): AppError {
    if (reply.status === 403) {
      return unavailable(
        SUBJECT,
        `does not allow ${doing}: the token has ended, or its policy is too narrow`,
        `Give it create and read on ${this.#below("data")}, read on ${this.#below("subkeys")} and delete on ${this.#below("metadata")}, or set a new VAULT_TOKEN.`,
      );
    }
    return reply.status === 404 ? malformed(SUBJECT, doing, reply) : refused(SUBJECT, doing, reply);
  }

  #below(what: string): string {
    return [...this.#mount, what, ...this.#prefix, "*"].join("/");
  }
}

/** No such path, or one whose version was deleted: a 404 with metadata. Other ones are about something else than the entry. */
function isMissing(reply: RemoteReply): boolean {
  if (reply.status !== 404) return false;
  const errors = errorsIn(reply);
  if (errors !== null) return errors.length === 0;
  return isObject(memberOf(reply.json(), "data", "metadata"));
}

function isTaken(reply: RemoteReply): boolean {
  return reply.status === 400 && (errorsIn(reply) ?? []).some((text) => text.includes("check-and-set parameter did not match"));
}

/** A rollback would not find it any more. */
function shortLived(): AppError {
  return unavailable(
    SUBJECT,
    "deletes what it keeps after a while, and secrets must stay until they are given up",
    "Set the mount's delete_version_after to 0s.",
  );
}
