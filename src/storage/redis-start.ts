import { AppError } from "../errors.ts";
import type { StoreOptions } from "./open.ts";
import { isAnswer, replyCode } from "./redis-errors.ts";
import type { RedisLink } from "./redis-link.ts";
import type { RedisServers } from "./redis-servers.ts";
import type { RedisTarget } from "./redis-url.ts";

/** What the scripts need: functions of scripts that say beforehand what they do. */
const OLDEST_MAJOR = 7;
/** The layouts of keys that this engine reads and writes: in the second, objects are stored as deltas. */
const WHOLE_OBJECTS = "1";
const DELTAS = "2";
export const SCHEMA_KEY = "envm:schema";

/** What an acknowledged write needs of a server in order to be kept. */
const NEEDED = [
  { name: "appendonly", wanted: "yes", otherwise: "what it was told since its last snapshot is lost when it stops" },
  { name: "appendfsync", wanted: "always", otherwise: "the last second of acknowledged writes is lost when its machine fails" },
  {
    name: "no-appendfsync-on-rewrite",
    wanted: "no",
    otherwise: "what it is told while it rewrites its log is lost when its machine fails",
  },
  { name: "maxmemory-policy", wanted: "noeviction", otherwise: "it may drop documents when memory is short" },
] as const;

/**
 * Refuses servers that the engine cannot use, and warns of those that may lose what they acknowledged (or, where strict, refuses). Answers whether
 * objects are stored as deltas.
 */
export async function checkServers(
  servers: RedisServers,
  target: RedisTarget,
  { strict = false, deltas = false, existing = false, onNotice }: StoreOptions,
): Promise<boolean> {
  for (const link of servers.primaries) {
    await checkKind(link, target, onNotice);
    const fault = await durabilityFault(link);
    if (fault === null) continue;
    if (strict) throw new AppError("store_unavailable", fault);
    onNotice?.(`${fault.reason} ${fault.fix}`);
  }
  return checkSchema(servers, deltas, existing);
}

async function checkKind(link: RedisLink, { cluster }: RedisTarget, onNotice: StoreOptions["onNotice"]): Promise<void> {
  const info = String(await link.send(["INFO"]));
  if (/^redis_mode:sentinel/m.test(info)) {
    throw new AppError("store_unavailable", {
      reason: `${nameOf(link)} is a Sentinel, which holds no data.`,
      fix: "Let STORE_URL name what always leads to the primary that it watches: a proxy, or a name that follows a failover. See docs/operations.md.",
    });
  }
  const version = /^redis_version:(\d+)\S*/m.exec(info);
  if (version !== null && Number(version[1]) < OLDEST_MAJOR) {
    throw new AppError("store_unavailable", {
      reason: `${nameOf(link)} has version ${version[0].split(":")[1]}; the engine needs ${OLDEST_MAJOR}.0 or newer.`,
      fix: "Upgrade the Redis server.",
    });
  }
  const replicas = Number(/^connected_slaves:(\d+)/m.exec(info)?.[1] ?? 0);
  if (replicas > 0) {
    onNotice?.(
      `${nameOf(link)} has ${replicas} ${replicas === 1 ? "replica" : "replicas"}, and acknowledges writes before they have them: a failover may lose what was acknowledged. See docs/operations.md.`,
    );
  }
  if (!cluster && /^cluster_enabled:1/m.test(info)) {
    throw new AppError("store_unavailable", {
      reason: `${nameOf(link)} is part of a cluster, and STORE_URL names a single server.`,
      fix: "Write redis+cluster://host:port (or rediss+cluster:), with one server of the cluster or several.",
    });
  }
}

async function durabilityFault(link: RedisLink): Promise<{ readonly reason: string; readonly fix: string } | null> {
  const faults: string[] = [];
  const commands: string[] = [];
  for (const { name, wanted, otherwise } of NEEDED) {
    const found = await configured(link, name);
    if (found === null) return unknownFault(link);
    if (found === wanted) continue;
    faults.push(`${name} is ${found}, so that ${otherwise}`);
    commands.push(`CONFIG SET ${name} ${wanted}`);
  }
  if (faults.length === 0) return null;
  return {
    reason: `${nameOf(link)} may lose what it acknowledged: ${faults.join("; ")}.`,
    fix: `Run in redis-cli: ${commands.join(", ")}; then CONFIG REWRITE, or write the same into its configuration file.`,
  };
}

function unknownFault(link: RedisLink): { readonly reason: string; readonly fix: string } {
  const wanted = NEEDED.map(({ name, wanted }) => `${name} ${wanted}`).join(", ");
  return {
    reason: `${nameOf(link)} does not let this user see by CONFIG GET whether it keeps what it acknowledges.`,
    fix: `Make sure that it is set to ${wanted}. Where you may, allow the check: ACL SETUSER <user> +config|get. Where you may not (a managed Redis), this cannot be checked, and STORE_STRICT=1 cannot be used.`,
  };
}

/** `null` where the server keeps it to itself. */
async function configured(link: RedisLink, name: string): Promise<string | null> {
  try {
    const reply = await link.send(["CONFIG", "GET", name]);
    const value = Array.isArray(reply) ? reply[1] : undefined;
    return typeof value === "string" ? value : null;
  } catch (error) {
    if (isAnswer(error) && ["NOPERM", "ERR"].includes(replyCode(error))) return null;
    throw error;
  }
}

/** What is new has the newest layout; what is there already is given it where `deltas` asks for that. */
async function checkSchema(servers: RedisServers, deltas: boolean, existing: boolean): Promise<boolean> {
  const read = () => servers.send(SCHEMA_KEY, ["GET", SCHEMA_KEY]);
  let found = await read();
  if (found === null && existing) {
    throw new AppError("store_unavailable", {
      reason: "Redis holds nothing of the engine's.",
      fix: "Look whether STORE_URL names the engine's server and database.",
    });
  }
  if (found === null) {
    await servers.send(SCHEMA_KEY, ["SET", SCHEMA_KEY, DELTAS, "NX"]);
    found = await read();
  }
  if (found === DELTAS) return true;
  if (found === WHOLE_OBJECTS) {
    if (deltas) await servers.send(SCHEMA_KEY, ["SET", SCHEMA_KEY, DELTAS]);
    return deltas;
  }
  throw new AppError("store_unavailable", {
    reason: `The store in Redis has schema ${String(found).slice(0, 20)}, written by a newer engine; this one knows schemas up to ${DELTAS}.`,
    fix: "Run the newer engine, or restore a backup from before the upgrade.",
  });
}

function nameOf({ address }: RedisLink): string {
  return `The Redis server ${address.host}:${address.port}`;
}
