import { pathToFileURL } from "node:url";
import type { Logger } from "pino";
import { Authentication, type IdentityProvider } from "./authentication.ts";
import { takeOver } from "./copy-state.ts";
import { createDomain, type Domain } from "./domain.ts";
import { AllowList } from "./engines/address.ts";
import { AppError } from "./errors.ts";
import { type Family, openFamily } from "./family.ts";
import type { DependencyStatus, Readiness } from "./http/routes/operations.ts";
import { createServer, type EngineServer } from "./http/server.ts";
import type { Oidc } from "./identity/oidc.ts";
import { SYSTEM_PARTITION } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import { createLogger } from "./log.ts";
import type { Clock, Store } from "./ports.ts";
import { Mirror } from "./repositories/mirror.ts";
import { openRepositories } from "./repositories/open.ts";
import { rootToken } from "./root-token.ts";
import { loadSettings, type OidcSettings, type Settings, SettingsError } from "./settings.ts";
import { Snapshots } from "./snapshots.ts";
import { isExclusive, openStore } from "./storage/open.ts";
import { StoreClock } from "./store-clock.ts";
import { openTracing } from "./tracing.ts";
import { type OpenVault, openVault } from "./vault/open.ts";
import type { Connect, VaultStatus } from "./vault/remote.ts";

/** A running engine. */
export interface Engine {
  /** Where it listens, for example `http://127.0.0.1:4006`. */
  readonly url: string;
  /** Says that it is not ready any more, goes on for `SHUTDOWN_DELAY`, stops accepting, finishes what runs, and closes the store. */
  close(): Promise<void>;
}

/** Composition root: settings → store → vault → domain → HTTP. The only place where they meet. */
export async function startEngine(settings: Settings, logger: Logger): Promise<Engine> {
  await openTracing();
  const opening = open(settings, logger);
  const server = createServer(opening.then(({ app }) => app));
  // Both at once: the port is bound while the store opens, and requests that come early wait for it.
  const [listening, opened] = await Promise.allSettled([server.listen(settings.port, settings.host), opening]);
  if (listening.status === "rejected" || opened.status === "rejected") {
    if (opened.status === "fulfilled") await opened.value.close();
    if (listening.status === "fulfilled") await server.close(LIMITS.shutdownMs);
    throw opened.status === "rejected" ? opened.reason : (listening as PromiseRejectedResult).reason;
  }
  const url = listening.value;
  logger.info({ url, store: settings.storeUrl.split(":", 1)[0], auth: settings.auth }, "listening");
  return { url, close: () => closeAll(server, opened.value, settings.shutdownDelayMs) };
}

async function open(settings: Settings, logger: Logger) {
  // Loading what serves requests takes as long as opening the store: both begin at once.
  const loading = import("./http/app.ts");
  loading.catch(() => {}); // Awaited below, unless the store fails first.
  const stopping = new AbortController();
  const store = await openStore(settings.storeUrl, { strict: settings.storeStrict, onNotice: (notice) => logger.warn(notice) });
  /** What a start that fails has to close, besides the store. */
  const opened: { close(): Promise<void> | void }[] = [];
  try {
    await takeOver(store);
    const { storeUrl, masterKey } = settings;
    const connect = await connector(settings.vault.kind);
    const vault = await openVault(settings.vault, { store, storeUrl, masterKey, connect, warn: (notice) => logger.warn(notice) });
    opened.push(vault);
    for (const notice of vault.notices) logger.warn(notice);
    const failed = (error: unknown) => logger.error({ err: error }, "work in the background failed");
    const family = await openFamily(settings);
    opened.push(family);
    const clock = isExclusive(storeUrl) ? { now: () => new Date() } : await sharedClock(store, stopping.signal, failed);
    const snapshots = new Snapshots(store);
    const repositories = await openRepositories({ path: settings.gitPath, storeUrl, store, snapshots });
    opened.push(repositories);
    const domain = createDomain({
      store,
      vault,
      snapshots,
      pusher: new Mirror(repositories, { allow: new AllowList(settings.gitAllow, "GIT_ALLOW"), folders: settings.gitAllowFolders }),
      previewUrlTemplate: settings.previewUrlTemplate,
      ...family.ports(),
      clock,
      exclusive: isExclusive(storeUrl),
      staleMs: settings.staleReadsMs,
      failed,
    });
    const provider = settings.oidc === null ? null : await openProvider(settings.oidc);
    const authentication = settings.auth === "off" ? null : await authenticationOf(settings, store, domain, provider);
    const { createApp } = await loading;
    const app = createApp({
      domain,
      settings,
      logger,
      authentication,
      counted: () => family.samples(),
      draining: () => stopping.signal.aborted,
      gitReader: repositories,
      readiness: () => readiness(store, vault, provider, family),
    });
    domain.sweeper.start();
    return {
      app,
      drain: () => stopping.abort(),
      // Those who wait for news are answered now, so that closing need not wait for them; what the engine does by itself goes to others.
      release: async () => {
        domain.news.close();
        await domain.sweeper.stop();
      },
      close: async () => {
        stopping.abort();
        // Again, since requests that were finished meanwhile have used tokens too.
        await domain.sweeper.stop();
        await Promise.all([vault.close(), family.close(), repositories.close()]);
        await store.close();
      },
    };
  } catch (error) {
    stopping.abort();
    await Promise.allSettled(opened.map((each) => each.close()));
    await store.close();
    throw error;
  }
}

/** The way to a vault elsewhere; loaded where there is one. */
async function connector(kind: Settings["vault"]["kind"]): Promise<Connect> {
  if (kind === "builtin")
    return () => {
      throw new Error("the built-in vault is reached by nobody");
    };
  const { Sibling } = await import("./engines/sibling.ts");
  return (name, url) => new Sibling(name, url);
}

async function authenticationOf(
  { adminToken }: Settings,
  store: Store,
  { tokens, sessions }: Domain,
  provider: Provider | null,
): Promise<Authentication> {
  const root = await rootToken(store, adminToken);
  if (root.made !== null) announce(root.made);
  return new Authentication({ rootDigest: root.digest, tokens, sessions, identities: provider });
}

type Provider = IdentityProvider & Pick<Oidc, "status">;

/** Loaded where it is set, so that a start without it does not wait for it. */
async function openProvider({ roles, ...options }: OidcSettings): Promise<Provider> {
  const { looksLikeJwt, openOidc, parseRoleMap } = await import("./identity/oidc.ts");
  try {
    const oidc = openOidc({ ...options, roles: parseRoleMap(roles) });
    return { rules: oidc.rules, recognizes: looksLikeJwt, verify: (jwt) => oidc.verify(jwt), status: () => oidc.status() };
  } catch (error) {
    throw new SettingsError(`OIDC cannot be used: ${error instanceof Error ? error.message : String(error)}`);
  }
}

type Opened = Awaited<ReturnType<typeof open>>;

async function closeAll(server: EngineServer, { drain, release, close }: Opened, delayMs: number): Promise<void> {
  drain();
  server.drain();
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
  await Promise.all([server.close(LIMITS.shutdownMs), release()]);
  await close();
}

/** Several engines agree on the store's time, whatever their machines' clocks say. */
async function sharedClock(store: Store, stop: AbortSignal, failed: (error: unknown) => void): Promise<Clock> {
  const clock = await StoreClock.open(store);
  clock.keep(stop, failed);
  return clock;
}

/** To the terminal alone, never to the log: whoever reads logs must not become root. */
function announce(token: string): void {
  process.stderr.write(
    `\nThis is the root token. It is shown once, and only its digest is kept:\n\n    ${token}\n\nSend it as \`Authorization: Bearer …\`. To choose one yourself, set ENV_MANAGER_ADMIN_TOKEN.\n\n`,
  );
}

/** Without the identity provider, tokens still work; without a sibling, whatever does not need it. */
async function readiness(store: Store, vault: OpenVault, provider: Provider | null, family: Family): Promise<Readiness> {
  const [storeNow, vaultNow] = await Promise.all([storeStatus(store), vault.look()]);
  return {
    store: storeNow,
    vault: shown(vaultNow),
    ...(provider !== null && { identity_provider: providerStatus(provider) }),
    ...Object.fromEntries(Object.entries(family.statuses()).map(([name, status]) => [name, shown(status)])),
  };
}

function shown({ status, since, last_error, notice }: VaultStatus): DependencyStatus {
  return {
    status,
    ...(since !== null && { since }),
    ...(last_error !== undefined && { last_error }),
    ...(notice !== undefined && { reason: notice }),
  };
}

function providerStatus(provider: Provider): DependencyStatus {
  const { status, reason } = provider.status();
  return status === "ok" ? { status } : { status: "degraded", reason: reason ?? "The identity provider cannot be reached." };
}

async function storeStatus(store: Store): Promise<DependencyStatus> {
  try {
    await store.revision([SYSTEM_PARTITION]);
    const full = store.full?.() ?? null;
    // Not down: whoever sends requests elsewhere then would take the reads away too, and all instances have the same store.
    return full === null ? { status: "ok" } : { status: "degraded", reason: `${full} Writes are refused, reads go on.` };
  } catch (error) {
    return { status: "down", reason: error instanceof AppError ? error.message : "unexpected error" };
  }
}

async function main(): Promise<Engine> {
  const settings = loadSettings();
  const logger = createLogger(settings.logLevel);
  const starting = startEngine(settings, logger);
  let stopping = false;
  const stop = (signal: string) => {
    // Whoever asks twice does not want to wait.
    if (stopping) process.exit(1);
    stopping = true;
    logger.info({ signal }, "stopping");
    setTimeout(() => process.exit(1), settings.shutdownDelayMs + LIMITS.shutdownMs * 2).unref();
    const stopped = starting.then((engine) => engine.close());
    stopped.then(
      () => process.exit(0),
      (error) => {
        logger.error({ err: error }, "did not stop cleanly");
        process.exit(1);
      },
    );
  };
  // Before it answers anybody, who may then tell it to stop.
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  return starting;
}

/** A start that fails says why and what to do, without a stack that nobody can use. */
function explain(error: unknown): string {
  if (error instanceof AppError && error.code === "storage_full") return `${error.message}\nFree some space, and start again.`;
  if (error instanceof AppError) return `${error.message}${error.fix === undefined ? "" : `\n${error.fix}`}`;
  if (error instanceof SettingsError) return error.message;
  return ofListening(error) ?? (error instanceof Error ? (error.stack ?? error.message) : String(error));
}

function ofListening(error: unknown): string | null {
  const { code, syscall, address, hostname } = error as NodeJS.ErrnoException & { address?: string; hostname?: string };
  if (code === "ENOTFOUND" && hostname !== undefined)
    return `ENV_MANAGER_HOST is "${hostname}", which cannot be found. Give an address of this machine, such as 127.0.0.1.`;
  if (syscall !== "listen") return null;
  if (code === "EADDRINUSE") return "The port is in use. Stop what uses it, or set ENV_MANAGER_PORT to another one.";
  if (code === "EACCES") return "This port may not be opened. Set ENV_MANAGER_PORT to one above 1023.";
  if (code === "EADDRNOTAVAIL")
    return `ENV_MANAGER_HOST is "${address}", which is no address of this machine. Give one that is, or 0.0.0.0 for all that it has.`;
  return null;
}

/** Starts from the command line: `node dist/index.js`. */
export async function run(): Promise<Engine> {
  try {
    return await main();
  } catch (error) {
    process.stderr.write(`environment-manager cannot start: ${explain(error)}\n`);
    process.exit(1);
  }
}

// A bundle is started by `scripts/engine/start.mjs`.
if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) void run();
