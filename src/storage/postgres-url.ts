import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

/** What `STORE_URL=postgres://…` says. */
export interface PostgresPlace {
  /** Where commits and reads go: the server, or a pooler before it. */
  readonly server: Address;
  /** Where the connection that listens goes: a pooler cannot carry it. */
  readonly listener: Address;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string;
  /** The schema that holds the tables. */
  readonly schema: string;
  /** Connections for reads; `LIMITS.postgresWriters` for commits and one that listens come on top. */
  readonly poolSize: number;
  readonly statementMs: number;
  readonly connectMs: number;
}

export interface Address {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  /** `false` is plain text. */
  readonly tls: ConnectionOptions | false;
}

const TLS_MODES = ["disable", "require", "verify-ca", "verify-full", "no-verify"] as const;
type TlsMode = (typeof TLS_MODES)[number];

const OPTIONS = [
  "host",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "schema",
  "listen",
  "pool_size",
  "statement_timeout",
  "connect_timeout",
] as const;
type Option = (typeof OPTIONS)[number];

const EXAMPLE = "postgres://user:password@db.example.com:5432/environment_manager";
const SCHEMA = /^[a-z_][a-z0-9_]{0,47}$/;

/**
 * Reads `postgres://user:password@host:port/database?option=value…`. No message repeats the URL: it may hold a password.
 *
 * TLS is used, and the server's certificate checked, unless the server is on this machine or `sslmode` says otherwise.
 * Throws `invalid_request`.
 */
export function postgresPlace(url: string): PostgresPlace {
  const { parsed, options } = parse(url);
  const host = options.host ?? decode(parsed.hostname).replace(/^\[|\]$/g, "");
  if (host === "" || host.includes(",")) {
    throw refuse("names no single host", `Write it as ${EXAMPLE}, or add ?host=/var/run/postgresql for a Unix socket.`);
  }
  const tls = tlsOf(options, host);
  const port = parsed.port === "" ? 5432 : Number(parsed.port);
  const schema = options.schema ?? "environment_manager";
  if (!SCHEMA.test(schema)) throw refuse("names a schema that is not lower-case letters, digits and underscores (at most 48)");
  return {
    server: { host, port, tls: tls(host) },
    listener: listenerOf(options.listen, { host, port }, tls),
    user: decode(parsed.username) || undefined,
    password: decode(parsed.password) || undefined,
    database: decode(parsed.pathname.slice(1)) || refuseNow("names no database", `Write it as ${EXAMPLE}.`),
    schema,
    poolSize: whole(options, "pool_size", LIMITS.postgresReaders, 1, 200),
    statementMs: whole(options, "statement_timeout", LIMITS.postgresStatementMs, 100, 600_000),
    connectMs: whole(options, "connect_timeout", LIMITS.postgresConnectMs / 1_000, 1, 60) * 1_000,
  };
}

function parse(url: string): { readonly parsed: URL; readonly options: Readonly<Partial<Record<Option, string>>> } {
  // `user@/database?host=…`, as libpq has it for a Unix socket, lacks the host that a URL with a user must have.
  const whole = url.replace(/^(\w+:\/\/[^/?#]*@)(\/)/, "$1localhost$2");
  if (!URL.canParse(whole)) throw refuse("is not a URL", `Write it as ${EXAMPLE}; special characters of a password as %XX.`);
  const parsed = new URL(whole);
  const options: Partial<Record<Option, string>> = {};
  for (const [name, value] of parsed.searchParams) {
    const known = OPTIONS.find((option) => option === name);
    if (known === undefined || options[known] !== undefined) {
      throw refuse(`has an option "${name}" that is unknown or given twice`, `Known are: ${OPTIONS.join(", ")}.`);
    }
    options[known] = value;
  }
  return { parsed, options };
}

function listenerOf(
  listen: string | undefined,
  { host, port }: { readonly host: string; readonly port: number },
  tls: (host: string) => ConnectionOptions | false,
): Address {
  if (listen === undefined) return { host, port, tls: tls(host) };
  const [, bracketed, plain, digits = "5432"] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(listen) ?? [];
  const name = bracketed ?? plain;
  if (name === undefined || Number(digits) > 65_535) {
    throw refuse("has an option listen that is no host and port", "Give the server itself, behind the pooler: listen=db.internal:5432.");
  }
  return { host: name, port: Number(digits), tls: tls(name) };
}

/** How to encrypt, once the host is known. */
function tlsOf(options: Readonly<Partial<Record<Option, string>>>, serverHost: string): (host: string) => ConnectionOptions | false {
  const mode = tlsMode(options.sslmode, serverHost);
  const files = {
    ca: file(options, "sslrootcert"),
    cert: file(options, "sslcert"),
    key: file(options, "sslkey"),
  };
  const given = Object.fromEntries(Object.entries(files).filter(([, content]) => content !== undefined));
  if (mode === "disable") return () => false;
  return (host) => ({
    // Whom the certificate must be for. Without it Node would take an address for "localhost".
    host,
    ...given,
    rejectUnauthorized: mode !== "no-verify",
    ...(mode === "verify-ca" && { checkServerIdentity: () => undefined }),
  });
}

function tlsMode(given: string | undefined, host: string): TlsMode {
  if (given === undefined) return isOnThisMachine(host) ? "disable" : "verify-full";
  const mode = TLS_MODES.find((known) => known === given);
  if (mode !== undefined) return mode;
  throw refuse(
    `has sslmode=${given}, which may end up unencrypted or is unknown`,
    "Use verify-full (require means the same here), verify-ca, or, where the network is trusted, no-verify or disable.",
  );
}

function isOnThisMachine(host: string): boolean {
  return host.startsWith("/") || host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function file(options: Readonly<Partial<Record<Option, string>>>, option: "sslrootcert" | "sslcert" | "sslkey"): string | undefined {
  const path = options[option];
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw refuse(`has an option ${option} whose file cannot be read (${why})`, "Let the user that runs the engine read that file.");
  }
}

function whole(options: Readonly<Partial<Record<Option, string>>>, option: Option, usual: number, least: number, most: number): number {
  const text = options[option];
  if (text === undefined) return usual;
  const value = Number(text);
  if (/^\d{1,6}$/.test(text) && value >= least && value <= most) return value;
  throw refuse(`has an option ${option} that is no whole number from ${least} to ${most}`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse("holds a % that begins no character", "Write % itself as %25.");
  }
}

function refuse(why: string, fix = `Write it as ${EXAMPLE}?schema=environment_manager.`): AppError {
  return new AppError("invalid_request", { reason: `STORE_URL ${why}.`, fix });
}

function refuseNow(why: string, fix: string): never {
  throw refuse(why, fix);
}
