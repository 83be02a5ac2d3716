import { AppError } from "../errors.ts";
import type { Json, SecretEntry } from "../ports.ts";
import {
  malformed,
  memberOf,
  type Remote,
  type RemoteCall,
  type RemoteEntries,
  type RemoteReply,
  refused,
  told,
  unavailable,
} from "./remote.ts";

const SUBJECT = "The Vault engine";

/**
 * The Vault engine of the family. A project there is an environment here, `pf-777/staging`, and a service is one value of a
 * secret, `API_KEY@<id>`.
 *
 * | request | reply |
 * | --- | --- |
 * | `POST /vault/token` `{project, service, token}` | `{success: true}` |
 * | `GET /vault/token/:project/:service` | `{token}`, or 404 `{error}` |
 * | `DELETE` the same path | `{success: true}`, or 404 `{error}` |
 *
 * Anything else, also with the right status, is a vault that cannot be asked, never an entry that is missing: a proxy's 404 has
 * no `error` of its own.
 */
export class PuraifyEntries implements RemoteEntries {
  readonly #remote: Remote;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(remote: Remote, token: string | null) {
    this.#remote = remote;
    this.#headers = token === null ? {} : { authorization: `Bearer ${token}` };
  }

  /** May be repeated: it puts the same value under an id that is nobody else's. */
  async put(entry: SecretEntry, value: string): Promise<void> {
    const json: Json = { project: projectOf(entry), service: serviceOf(entry), token: value };
    const reply = await this.#call(["vault", "token"], { method: "POST", json, idempotent: true });
    const doing = "keeping a secret";
    if (reply.status === 400 && value.trim() === "") throw blank(entry);
    if (!isDone(reply)) throw refusedBy(reply, doing);
    if (memberOf(reply.json(), "success") !== true) throw malformed(SUBJECT, doing, reply);
  }

  async get(entry: SecretEntry): Promise<string | null> {
    const reply = await this.#call(pathOf(entry), { method: "GET", idempotent: true });
    const doing = "reading a secret";
    if (isMissing(reply)) return null;
    if (reply.status !== 200) throw refusedBy(reply, doing);
    const token = memberOf(reply.json(), "token");
    if (typeof token !== "string") throw malformed(SUBJECT, doing, reply);
    return token;
  }

  async delete(entry: SecretEntry): Promise<void> {
    const reply = await this.#call(pathOf(entry), { method: "DELETE", idempotent: true });
    const doing = "removing a secret";
    if (isMissing(reply) || reply.status === 204) return;
    if (!isDone(reply)) throw refusedBy(reply, doing);
    if (memberOf(reply.json(), "success") !== true) throw malformed(SUBJECT, doing, reply);
  }

  notice(): null {
    return null;
  }

  close(): Promise<void> {
    return this.#remote.close();
  }

  #call(path: readonly string[], call: RemoteCall): Promise<RemoteReply> {
    return this.#remote.call(path, { ...call, headers: this.#headers });
  }
}

function projectOf({ project, env }: SecretEntry): string {
  return `${project}/${env}`;
}

function serviceOf({ name, id }: SecretEntry): string {
  return `${name}@${id}`;
}

function pathOf(entry: SecretEntry): string[] {
  return ["vault", "token", projectOf(entry), serviceOf(entry)];
}

function isDone({ status }: RemoteReply): boolean {
  return status === 200 || status === 201;
}

function isMissing(reply: RemoteReply): boolean {
  return reply.status === 404 && typeof memberOf(reply.json(), "error") === "string";
}

function refusedBy(reply: RemoteReply, doing: string): AppError {
  if (reply.status === 404) return malformed(SUBJECT, doing, reply);
  if (reply.status !== 401 && reply.status !== 403) return refused(SUBJECT, doing, reply);
  return unavailable(SUBJECT, `does not allow ${doing} (status ${reply.status})`, "Set VAULT_TOKEN to a token that it takes.");
}

/** The family's Vault engine takes none, and asking it again would not help. */
function blank(entry: SecretEntry): AppError {
  return new AppError("invalid_request", {
    reason: `The secret ${told(entry)} is blank, and the Vault engine keeps no blank values.`,
    fix: "Give it a value, or leave it unset.",
  });
}
