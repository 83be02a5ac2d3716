import { randomUUID } from "node:crypto";
import { type Answer, run, type Seen } from "./stand-in.ts";

/**
 * HashiCorp Vault with one KV version 2 mount, `secret`. The shapes are those of its documentation: `api-docs/secret/kv/kv-v2`,
 * `auth/approle`, `auth/token`, `system/internal-ui-mounts`, `system/seal-status`.
 */
const MOUNT = "secret";
const CREATED = "2026-01-01T00:00:00.000000000Z";

interface Version {
  data: Record<string, unknown> | null;
  deleted: boolean;
}

/** Path → its versions, oldest first. */
const paths = new Map<string, Version[]>();
/** Token → what it may do: everything, or what a policy says. */
const tokens = new Map<string, { readonly accessor: string }>();
const USUAL = {
  sealed: false,
  version: "2" as string | null,
  lease: 3_600,
  /** What a renewal gives; the lease where `null`. */
  renewed: null as number | null,
  renewable: true,
  secretId: "secret-id",
  namespace: null as string | null,
  forbidden: [] as string[],
  /** Answers "later" so many times. */
  later: 0,
  laterStatus: 429,
  /** And after how many seconds to come back, where it says so. */
  retryAfter: null as number | null,
  /** What it says of a token that looks itself up: seconds that are left, and that it had; 0 where it does not end. */
  ttl: 0,
  creationTtl: 0,
  subkeys: true,
  /** When it says that what is written ends; `null` where it tells the version's number alone. */
  deleteAfter: "" as string | null,
};
const settings = { ...USUAL };
clear();
run({ answer, entries, clear, control });

function clear(): void {
  paths.clear();
  tokens.clear();
  tokens.set("root-token", { accessor: "root" });
  Object.assign(settings, USUAL);
}

function control({ revoke, softDelete, put, ...changed }: Record<string, unknown>): void {
  Object.assign(settings, changed);
  if (revoke === "all") for (const token of tokens.keys()) if (token !== "root-token") tokens.delete(token);
  if (typeof softDelete === "string") for (const version of paths.get(softDelete) ?? []) version.deleted = true;
  if (put !== undefined) paths.set(put as string, [{ data: { other: "member" }, deleted: false }]);
}

function answer(request: Seen): Answer {
  const [path = ""] = request.path.split("?");
  const [, v1, ...parts] = path.split("/").map(decodeURIComponent);
  if (v1 !== "v1") return { status: 404, body: errors() };
  if (path === "/v1/sys/seal-status")
    return { status: 200, body: { type: "shamir", initialized: true, sealed: settings.sealed, t: 3, n: 5, progress: 0 } };
  if (request.headers["x-vault-request"] !== "true") return { status: 400, body: errors("missing required request header") };
  if (settings.sealed) return { status: 503, body: errors("Vault is sealed") };
  if (settings.later > 0 && !path.endsWith("-self")) {
    settings.later -= 1;
    const text =
      settings.laterStatus === 400
        ? "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly."
        : "request path rate limit quota exceeded";
    const headers = settings.retryAfter === null ? {} : { "retry-after": String(settings.retryAfter) };
    return { status: settings.laterStatus, body: errors(text), headers };
  }
  if (settings.namespace !== null && request.headers["x-vault-namespace"] !== settings.namespace)
    return { status: 404, body: errors("no handler for route. route entry not found.") };
  if (path === "/v1/auth/approle/login") return login(request.body as Record<string, unknown>);
  const token = String(request.headers["x-vault-token"] ?? "");
  if (!tokens.has(token)) return { status: 403, body: errors("2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n") };
  if (settings.forbidden.some((what) => `${request.method} ${path}`.includes(what)))
    return { status: 403, body: errors("1 error occurred:\n\t* permission denied\n\n") };
  if (path === "/v1/auth/token/lookup-self" && request.method === "GET") return lookUp(token);
  if (path === "/v1/auth/token/renew-self") return renew(token, request.body as Record<string, unknown>);
  if (path === "/v1/auth/token/revoke-self") return revoke(token);
  if (path.startsWith("/v1/sys/internal/ui/mounts/")) return mount(parts.slice(4).join("/"));
  return kv(request, parts);
}

function kv({ method, body }: Seen, [mounted, what, ...rest]: string[]): Answer {
  if (mounted !== MOUNT) return { status: 404, body: errors(`no handler for route "${mounted}/${what}". route entry not found.`) };
  const path = rest.join("/");
  if (what === "data" && (method === "POST" || method === "PUT")) return write(path, body as Record<string, unknown>);
  if (what === "data" && method === "GET") return read(path, (data) => ({ data }));
  if (what === "subkeys" && method === "GET" && settings.subkeys) {
    return read(path, (data) => ({ subkeys: data === null ? null : Object.fromEntries(Object.keys(data).map((name) => [name, null])) }));
  }
  if (what === "metadata" && method === "DELETE") {
    paths.delete(path);
    return { status: 204 };
  }
  return { status: 404, body: errors("no handler for route") };
}

function write(path: string, { options, data }: Record<string, unknown>): Answer {
  if (path.endsWith(".")) return { status: 400, body: errors("path cannot end with a period") };
  const versions = paths.get(path) ?? [];
  const cas = (options as { cas?: number } | undefined)?.cas;
  if (cas !== undefined && cas !== versions.length)
    return { status: 400, body: errors("check-and-set parameter did not match the current version") };
  versions.push({ data: data as Record<string, unknown>, deleted: false });
  paths.set(path, versions);
  if (settings.deleteAfter === null) return { status: 200, body: reply({ version: versions.length }) };
  return { status: 200, body: reply({ ...metadata(versions.length, false), deletion_time: settings.deleteAfter }) };
}

function read(path: string, shown: (data: Record<string, unknown> | null) => Record<string, unknown>): Answer {
  const versions = paths.get(path);
  const newest = versions?.at(-1);
  if (versions === undefined || newest === undefined) return { status: 404, body: errors() };
  const body = reply({ ...shown(newest.deleted ? null : newest.data), metadata: metadata(versions.length, newest.deleted) });
  return { status: newest.deleted ? 404 : 200, body };
}

function metadata(version: number, deleted: boolean) {
  return {
    created_time: CREATED,
    custom_metadata: null,
    deletion_time: deleted ? "2026-01-02T00:00:00.000000000Z" : "",
    destroyed: false,
    version,
  };
}

function mount(path: string): Answer {
  if (path !== MOUNT && !path.startsWith(`${MOUNT}/`))
    return { status: 403, body: errors("preflight capability check returned 403, please ensure client's policies grant access to path") };
  const options = settings.version === null ? null : { version: settings.version };
  return {
    status: 200,
    body: reply({ accessor: "kv_f05b8b9c", description: "key/value secret storage", local: false, options, path: `${MOUNT}/`, type: "kv" }),
  };
}

function login({ role_id, secret_id }: Record<string, unknown>): Answer {
  if (role_id !== "role-id" || secret_id !== settings.secretId) return { status: 400, body: errors("invalid role or secret ID") };
  const token = `hvs.${randomUUID()}`;
  tokens.set(token, { accessor: randomUUID() });
  return { status: 200, body: auth(token, settings.lease) };
}

function renew(token: string, { increment }: Record<string, unknown>): Answer {
  if (typeof increment !== "string" || !/^\d+s$/.test(increment)) return { status: 400, body: errors("bad increment") };
  return { status: 200, body: auth(token, settings.renewed ?? settings.lease) };
}

function lookUp(token: string): Answer {
  const { ttl, creationTtl: creation_ttl, renewable } = settings;
  const ends = ttl === 0 ? null : new Date(Date.now() + ttl * 1_000).toISOString();
  return {
    status: 200,
    body: reply({
      accessor: tokens.get(token)?.accessor,
      creation_time: 1_767_225_600,
      creation_ttl,
      display_name: "token",
      entity_id: "",
      expire_time: ends,
      explicit_max_ttl: 0,
      id: token,
      issue_time: CREATED,
      meta: null,
      num_uses: 0,
      orphan: true,
      path: "auth/token/create",
      policies: ["default", "environment-manager"],
      renewable: ttl !== 0 && renewable,
      ttl,
      type: "service",
    }),
  };
}

function revoke(token: string): Answer {
  tokens.delete(token);
  return { status: 204 };
}

function auth(token: string, seconds: number) {
  const { accessor = "" } = tokens.get(token) ?? {};
  return {
    ...reply(null),
    auth: {
      client_token: token,
      accessor,
      policies: ["default"],
      token_policies: ["default"],
      metadata: { role_name: "engine" },
      lease_duration: seconds,
      renewable: settings.renewable,
      entity_id: randomUUID(),
      token_type: "service",
      orphan: true,
    },
  };
}

function reply(data: unknown) {
  return { request_id: randomUUID(), lease_id: "", renewable: false, lease_duration: 0, data, wrap_info: null, warnings: null, auth: null };
}

function errors(...texts: string[]) {
  return { errors: texts };
}

function entries(): string[] {
  return [...paths.keys()].flatMap((path) => {
    const [project, env, name, id] = path.split("/").slice(-4).map(decoded);
    return id === undefined ? [] : [`${project}/${env}/${name}@${id}`];
  });
}

/** A part of a path as `entryPath` writes it. */
function decoded(part: string): string {
  return Buffer.from(
    part.replace(/~([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    "latin1",
  ).toString("utf8");
}
