import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import { parse } from "dotenv";
import { LIMITS } from "./limits.ts";
import { packageRoot } from "./package.ts";

/** Everything that an operator can set, parsed once and frozen. `.env.example` and the README's table list the same names. */
export interface Settings {
  readonly port: number;
  readonly host: string;
  readonly auth: "on" | "off";
  /** The root token where the operator chose it; otherwise one is made at first start. */
  readonly adminToken: string | null;
  readonly storeUrl: string;
  /** Whether to refuse a shared store that may lose what it acknowledged. */
  readonly storeStrict: boolean;
  readonly masterKey: string | null;
  /** Milliseconds that the engine goes on taking requests after it was told to stop, so that whoever sends them can notice. */
  readonly shutdownDelayMs: number;
  /** How old config and flags may be, in milliseconds, while the store cannot be reached; 0 where they are not shown then. */
  readonly staleReadsMs: number;
  readonly previewUrlTemplate: string;
  readonly logLevel: LogLevel;
  /** Host names, besides loopback ones, that requests may name in `Host` and `Origin`. */
  readonly allowedHosts: readonly string[];
  /** Addresses and networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. */
  readonly trustedProxies: readonly string[];
  /** Origins of pages that may evaluate flags and watch for changes; `*` for all. */
  readonly ofrepCorsOrigins: readonly string[];
  readonly requestsPerSecond: { readonly perToken: number; readonly perAddress: number };
  /** Streamed replies of one token at a time: pages of the public share one token. */
  readonly streamsPerToken: number;
  readonly vault: VaultSettings;
  /** Hosts and networks that webhooks may go to although they are not public. */
  readonly webhookAllow: readonly string[];
  /** Where the Git repositories of projects are kept; beside the database file, or for as long as the engine runs, where it is not set. */
  readonly gitPath: string | null;
  /** Hosts and networks that repositories may be fetched from, and mirrors may be at, although they are not public. */
  readonly gitAllow: readonly string[];
  /** Folders below which mirrors may be. */
  readonly gitAllowFolders: readonly string[];
  /** Base URLs of sibling engines; `null` for one that is not there. */
  readonly siblings: Readonly<Record<SiblingName, string | null>>;
  /** Where people sign in elsewhere. */
  readonly oidc: OidcSettings | null;
}

/** Where secrets are kept: in the engine's own store, in the family's Vault engine, or in HashiCorp Vault or OpenBao. */
type VaultSettings =
  /** `unused`: settings that only a vault elsewhere has, where no kind was asked for by its name. */
  | { readonly kind: "builtin"; readonly unused?: readonly string[] }
  | { readonly kind: "puraify"; readonly url: string; readonly token: string | null }
  | {
      readonly kind: "kv2";
      readonly url: string;
      readonly mount: string;
      readonly prefix: string;
      readonly namespace: string | null;
      readonly credentials: { readonly token: string } | { readonly roleId: string; readonly secretId: string };
    };

export type SiblingName = keyof typeof SIBLING_URLS;
const SIBLING_URLS = {
  validation: "VALIDATION_URL",
  monitoring: "LOGS_URL",
  deployment: "DEPLOYMENT_URL",
  builder: "BUILDER_URL",
  feedback: "FEEDBACK_URL",
} as const;

export interface OidcSettings {
  readonly issuer: string;
  readonly audience: string;
  /** The claim that holds somebody's groups or roles. */
  readonly claim: string;
  /** The claim that the audit log names somebody by. */
  readonly actorClaim: string;
  /** JSON: values of the claim → what they grant. */
  readonly roles: string;
}

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Thrown for a setting that cannot be used: the message names the setting and says how to mend it. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings. The process environment wins over `.env` beside `package.json`, which wins over `../../.env`
 * (the family's shared file).
 */
export function loadSettings(env: Environment = process.env, root: string = packageRoot()): Settings {
  const values: Environment = { ...readDotenv(resolve(root, "../../.env")), ...readDotenv(join(root, ".env")), ...env };
  const read = (name: string): string | null => values[name]?.trim() || null;

  const host = read("ENV_MANAGER_HOST") ?? "127.0.0.1";
  const auth = oneOf("ENV_MANAGER_AUTH", read("ENV_MANAGER_AUTH") ?? "on", ["on", "off"] as const);
  if (auth === "off" && !isLoopback(host)) {
    throw new SettingsError(
      `ENV_MANAGER_AUTH=off starts only on a loopback host, and ENV_MANAGER_HOST is "${host}". Set ENV_MANAGER_HOST=127.0.0.1, or remove ENV_MANAGER_AUTH=off.`,
    );
  }
  return Object.freeze({
    port: port(read("ENV_MANAGER_PORT") ?? "4006"),
    host,
    auth,
    adminToken: rootToken(read("ENV_MANAGER_ADMIN_TOKEN")),
    storeUrl: read("STORE_URL") ?? "sqlite:./data/env.db",
    storeStrict: oneOf("STORE_STRICT", read("STORE_STRICT") ?? "0", ["0", "1"] as const) === "1",
    masterKey: read("ENV_MANAGER_MASTER_KEY"),
    shutdownDelayMs: duration("SHUTDOWN_DELAY", read("SHUTDOWN_DELAY"), LIMITS.shutdownDelayMaxMs),
    staleReadsMs: duration("STALE_READS", read("STALE_READS"), LIMITS.staleMaxMs),
    previewUrlTemplate: urlTemplate(read("PREVIEW_URL_TEMPLATE") ?? "https://preview.puraify.app/{project_id}/{env}"),
    logLevel: oneOf("LOG_LEVEL", read("LOG_LEVEL") ?? "info", LOG_LEVELS),
    allowedHosts: list(read("ENV_MANAGER_ALLOWED_HOSTS")).map(hostName),
    trustedProxies: list(read("ENV_MANAGER_TRUSTED_PROXIES")).map(network),
    ofrepCorsOrigins: list(read("OFREP_CORS_ORIGINS")).map(origin),
    requestsPerSecond: {
      perToken: rate("RATE_LIMIT_PER_TOKEN", read("RATE_LIMIT_PER_TOKEN"), LIMITS.requestsPerSecondPerToken),
      perAddress: rate("RATE_LIMIT_PER_ADDRESS", read("RATE_LIMIT_PER_ADDRESS"), LIMITS.requestsPerSecondPerAddress),
    },
    streamsPerToken: count("STREAM_LIMIT_PER_TOKEN", read("STREAM_LIMIT_PER_TOKEN"), {
      usual: LIMITS.streamsPerToken,
      most: LIMITS.streams,
      of: "streams",
    }),
    vault: vault(read),
    webhookAllow: list(read("WEBHOOK_ALLOW")),
    gitPath: read("GIT_PATH"),
    gitAllow: list(read("GIT_ALLOW")),
    gitAllowFolders: list(read("GIT_ALLOW_FOLDERS")),
    siblings: siblings(read),
    oidc: oidc(read),
  });
}

function list(text: string | null): string[] {
  return (text ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean);
}

/** One that an `Authorization` header carries: whoever set another would find out at the first request alone. */
function rootToken(text: string | null): string | null {
  if (text === null || /^[\x21-\x7e]{16,}$/.test(text)) return text;
  const must = text.length < 16 ? "have at least 16 characters" : "be of ASCII letters, digits and signs alone, without spaces";
  throw new SettingsError(`ENV_MANAGER_ADMIN_TOKEN must ${must}. \`openssl rand -hex 32\` makes a good one.`);
}

/** As a `Host` header has it before its port. */
function hostName(text: string): string {
  const name = (isIP(text) === 6 ? `[${text}]` : text).toLowerCase();
  if (/^(\[[0-9a-f:.]+\]|[^:/?#@*[\]\s]+)$/.test(name)) return name;
  throw new SettingsError(
    `ENV_MANAGER_ALLOWED_HOSTS holds "${text}". Give names and addresses alone, such as envm.example.com: no scheme, port or path, and each in full.`,
  );
}

function urlTemplate(text: string): string {
  const example = text.replaceAll("{project_id}", "shop").replaceAll("{env}", "staging");
  if (webUrl(example) !== null && !/[{}]/.test(example)) return text;
  throw new SettingsError(
    "PREVIEW_URL_TEMPLATE must be an http or https URL, in which {project_id} and {env} stand for those of an environment, for example https://preview.example.com/{project_id}/{env}.",
  );
}

/** `null` for what is no address of the web. */
function webUrl(text: string): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url?.protocol === "http:" || url?.protocol === "https:" ? url : null;
}

const NETWORK_NAMES: readonly string[] = ["loopback", "linklocal", "uniquelocal"];

function network(text: string): string {
  const [address = "", bits, more] = text.split("/");
  const longest = { 4: 32, 6: 128 }[isIP(address)];
  const isNetwork =
    longest !== undefined && more === undefined && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= longest));
  if (isNetwork || NETWORK_NAMES.includes(text)) return text;
  throw new SettingsError(
    `ENV_MANAGER_TRUSTED_PROXIES holds "${text}". Give addresses or networks such as 10.0.0.0/8, or loopback, linklocal, uniquelocal.`,
  );
}

function origin(text: string): string {
  if (text === "*") return text;
  const url = webUrl(text);
  if (url !== null && url.origin === text.toLowerCase().replace(/\/$/, "")) return url.origin;
  throw new SettingsError(
    `OFREP_CORS_ORIGINS holds "${text}". Give origins of pages such as https://app.example.com, without a path, or * for all.`,
  );
}

function rate(name: string, text: string | null, usual: number): number {
  return count(name, text, { usual, most: 9_999_999, of: "requests a second" });
}

interface Count {
  readonly usual: number;
  readonly most: number;
  readonly of: string;
}

function count(name: string, text: string | null, { usual, most, of }: Count): number {
  if (text === null) return usual;
  const value = Number(text);
  if (/^\d{1,7}$/.test(text) && value > 0 && value <= most) return value;
  throw new SettingsError(`${name} is "${text}". It must be a whole number of ${of}, from 1 to ${most}.`);
}

/** Milliseconds; 0 where it is not set. */
function duration(name: string, text: string | null, longest: number): number {
  const [, amount, unit] = /^(\d{1,6})(s|m|h)$/.exec(text ?? "0s") ?? [];
  const ms = Number(amount) * (unit === "h" ? 3_600_000 : unit === "m" ? 60_000 : 1_000);
  if (ms <= longest) return ms;
  throw new SettingsError(`${name} is "${text}". It must be a duration such as 5s or 1m, of at most ${longest / 60_000}m, or 0s for none.`);
}

/** What a vault elsewhere is used with. */
const ELSEWHERE = ["VAULT_TOKEN", "VAULT_ROLE_ID", "VAULT_SECRET_ID", "VAULT_MOUNT", "VAULT_PREFIX", "VAULT_NAMESPACE"] as const;

function vault(read: (name: string) => string | null): VaultSettings {
  const url = baseUrl("VAULT_URL", read("VAULT_URL"));
  const kind = oneOf("VAULT_KIND", read("VAULT_KIND") ?? (url === null ? "builtin" : "puraify"), ["builtin", "puraify", "kv2"] as const);
  if (kind === "builtin") {
    const unused = read("VAULT_KIND") === null ? ELSEWHERE.filter((name) => read(name) !== null) : [];
    return { kind, ...(unused.length > 0 && { unused }) };
  }
  if (url === null) throw new SettingsError(`VAULT_KIND is ${kind}, so VAULT_URL must say where it is.`);
  const token = read("VAULT_TOKEN");
  if (kind === "puraify") return { kind, url, token };
  return {
    kind,
    url,
    mount: read("VAULT_MOUNT") ?? "secret",
    prefix: read("VAULT_PREFIX") ?? "environment-manager",
    namespace: read("VAULT_NAMESPACE"),
    credentials: kv2Credentials(token, read("VAULT_ROLE_ID"), read("VAULT_SECRET_ID")),
  };
}

function kv2Credentials(token: string | null, roleId: string | null, secretId: string | null) {
  if (token !== null && roleId === null && secretId === null) return { token };
  if (token === null && roleId !== null && secretId !== null) return { roleId, secretId };
  throw new SettingsError("VAULT_KIND is kv2: set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID together, and not both.");
}

function siblings(read: (name: string) => string | null): Readonly<Record<SiblingName, string | null>> {
  const urls = Object.entries(SIBLING_URLS).map(([name, setting]) => [name, baseUrl(setting, read(setting))]);
  return Object.freeze(Object.fromEntries(urls) as Record<SiblingName, string | null>);
}

/** The URL itself may hold a password: no message repeats it. */
function baseUrl(setting: string, text: string | null): string | null {
  const url = text === null ? null : webUrl(text);
  if (text === null || (url !== null && url.search + url.hash === "")) return text;
  throw new SettingsError(
    `${setting} is no http or https URL of an engine. Give its base URL, of scheme, host, port and path alone, for example http://127.0.0.1:4001.`,
  );
}

function oidc(read: (name: string) => string | null): OidcSettings | null {
  const issuer = read("OIDC_ISSUER");
  if (issuer === null) return null;
  const audience = read("OIDC_AUDIENCE");
  const roles = read("OIDC_ROLES");
  if (audience === null)
    throw new SettingsError("OIDC_ISSUER is set, so OIDC_AUDIENCE must be too: the `aud` of the tokens that are meant for this engine.");
  if (roles === null) {
    throw new SettingsError(
      'OIDC_ISSUER is set, so OIDC_ROLES must be too: which values of the claim grant what, for example {"developers":{"role":"editor","projects":["*"],"envs":["development"]}}.',
    );
  }
  return { issuer, audience, roles, claim: read("OIDC_ROLE_CLAIM") ?? "groups", actorClaim: read("OIDC_ACTOR_CLAIM") ?? "sub" };
}

/** Whether `host` can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  return name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}

function readDotenv(path: string): Environment {
  try {
    return parse(readFileSync(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new SettingsError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

function port(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  throw new SettingsError(`ENV_MANAGER_PORT is "${text}". It must be a whole number from 0 (any free port) to 65535.`);
}

function oneOf<Option extends string>(name: string, value: string, options: readonly Option[]): Option {
  const found = options.find((option) => option === value.toLowerCase());
  if (found !== undefined) return found;
  throw new SettingsError(`${name} is "${value}". It must be one of: ${options.join(", ")}.`);
}
