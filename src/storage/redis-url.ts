import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

/** One server, as the driver is told of it. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** What `STORE_URL` says of a Redis store. */
export interface RedisTarget {
  /** One server; of a cluster those that are asked for the others. */
  readonly addresses: readonly RedisAddress[];
  readonly cluster: boolean;
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** Milliseconds for which a server may owe answers and give none. */
  readonly replyMs: number;
}

const URL_FORM = /^(rediss?)(\+cluster)?:\/\/(?:([^/@]*)@)?([^/@?#]+)(?:\/(\d{0,4}))?$/;
const HOST_FORM = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;
const DEFAULT_PORT = 6379;

/**
 * Reads `redis://user:password@host:6379/0`, `rediss://…` (TLS), and for a cluster `redis+cluster://host:7000,host:7001` or
 * `rediss+cluster://…`. Throws `invalid_request`, and never repeats the URL, which may hold a password.
 */
export function redisTarget(url: string, replyMs: number = LIMITS.storeReplyMs): RedisTarget {
  const [, scheme, cluster, credentials = "", hosts = "", database = ""] = URL_FORM.exec(url) ?? [];
  if (scheme === undefined) throw refused("is no Redis URL");
  const addresses = hosts.split(",").map(address);
  if (cluster === undefined && addresses.length > 1) throw refused("names several servers, which only a cluster has");
  if (cluster !== undefined && Number(database) > 0) throw refused("names a database by number, and a cluster has one only");
  const [username = "", password] = credentials.split(/:(.*)/s, 2).map(decoded);
  return {
    addresses,
    cluster: cluster !== undefined,
    tls: scheme === "rediss",
    username: username === "" ? undefined : username,
    password,
    database: Number(database),
    replyMs,
  };
}

function address(text: string): RedisAddress {
  const [, host, port] = HOST_FORM.exec(text) ?? [];
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  if (host === undefined || number < 1 || number > 65_535) throw refused("names a host or port that cannot be used");
  return { host: host.replace(/^\[|\]$/g, ""), port: number };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused("holds a name or password that is not percent-encoded");
  }
}

function refused(why: string): AppError {
  return new AppError("invalid_request", {
    reason: `STORE_URL ${why}.`,
    fix: "Write it as redis://user:password@host:6379/0, rediss://… for TLS, or redis+cluster://host:7000,host:7001,host:7002 for a cluster. Percent-encode the user and the password.",
  });
}
