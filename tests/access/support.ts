import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExtraRight, Grant, Role } from "../../src/access.ts";
import { Authentication, type IdentityProvider } from "../../src/authentication.ts";
import type { Domain } from "../../src/domain.ts";
import { durationMs } from "../../src/durations.ts";
import type { AppError } from "../../src/errors.ts";
import { SYSTEM_PARTITION } from "../../src/keys.ts";
import type { AuditRecord, Caller } from "../../src/model.ts";
import type { Clock, Json, MirrorPusher, Repositories, Store, WebhookDeliverer } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import { type ShownToken, tokenDigest } from "../../src/token-documents.ts";
import type { TokenRequest } from "../../src/tokens.ts";
import { caller, documents, domainOn, errorOf, memoryStore, openWorld, TestClock, type World, wrapped } from "../domain/support.ts";
import { type Answer, type Ask, type Question, ROOT_TOKEN, SETTINGS, serveApp } from "../http/support.ts";

/** Somebody who may do everything, as the root token may. */
export const ROOT: Caller = caller("root");

/** An engine whose clock, the store's too, stands until a test moves it. */
export interface Access extends World {
  readonly clock: TestClock;
}

export function clockOf(clock: TestClock): Clock {
  return { now: () => new Date(clock.read()) };
}

export async function openAccess(store?: Store, clock: TestClock = new TestClock(), exclusive = false): Promise<Access> {
  return {
    ...(await openWorld({
      store: store ?? memoryStore(clock),
      clock: clockOf(clock),
      deliverer: DELIVERER,
      repositories: REPOSITORIES,
      pusher: PUSHER,
      exclusive,
    })),
    clock,
  };
}

/** Takes every webhook, and sends nothing. */
const DELIVERER: WebhookDeliverer = {
  check: async () => {},
  open: () => ({ send: async () => ({ status: 204, retryAfterMs: null }), close: async () => {} }),
};

/** Takes every mirror, and pushes nothing. */
const PUSHER: MirrorPusher = { check: async () => {}, push: async () => 0 };

/** Takes every address, and leads nowhere. */
const REPOSITORIES: Repositories = {
  check: async () => {},
  changeSince: () => Promise.reject(new Error("nothing is fetched here")),
};

/** Moves the clock: `pass(clock, "2h")`. */
export function pass(clock: TestClock, duration: string): void {
  clock.time += durationMs(duration) ?? Number.NaN;
}

/** Runs something on a real SQLite file in a folder of its own. */
export async function onSqlite<Result>(use: (store: Store, folder: string, clock: TestClock) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "env-manager-access-"));
  const clock = new TestClock();
  const store = checked(await openSqlite(`sqlite:${join(folder, "env.db")}`, { clock: clock.read }));
  try {
    return await use(store, folder, clock);
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Somebody with these grants and no others. */
export function holderOf(actor: string, ...grants: readonly Grant[]): Caller {
  return { actor, subject: actor, token: `token-of-${actor}`, requestId: "request-of-the-test", grants };
}

export function grant(
  role: Role,
  projects: readonly string[] = ["*"],
  envs: readonly string[] = ["*"],
  rights: readonly ExtraRight[] = [],
): Grant {
  return { role, projects, envs, rights };
}

/** What happened to access, as it is stored, oldest first. */
export async function accessRecords(store: Store): Promise<AuditRecord[]> {
  return (await documents(store, SYSTEM_PARTITION, "audit/")).map(({ value }) => value as unknown as AuditRecord);
}

/** Resolves when every record of a refusal that was on its way is written: they queue with other writes, and nobody waits for them. */
export async function refusalsWritten({ tokens }: Pick<Domain, "tokens">): Promise<void> {
  await tokens.create(ROOT, { name: "comes after them", role: "client", projects: ["nowhere"] });
}

/** Documents put past the domain: for states that would take long to bring about. */
export async function putAll(
  store: Store,
  partition: string,
  puts: readonly { readonly key: string; readonly value: Json }[],
): Promise<void> {
  for (let from = 0; from < puts.length; from += 5_000) {
    await store.commit(partition, { checks: [], puts: puts.slice(from, from + 5_000), deletes: [], objects: [], objectDeletes: [] });
  }
}

/** Serves the app to whoever has a token of this domain's, for one test, as often as they like. */
export interface Served {
  readonly ask: Ask;
  /** As whoever has this token; `null`: without any. */
  as(token: string | null, question: Question | string): Promise<Answer>;
}

export async function serveTo(domain: Domain, identities: IdentityProvider | null = null): Promise<Served> {
  const { tokens, sessions } = domain;
  const authentication = new Authentication({ rootDigest: tokenDigest(ROOT_TOKEN), tokens, sessions, identities });
  const settings = { ...SETTINGS, requestsPerSecond: { perToken: 1_000_000, perAddress: 1_000_000 } };
  const ask = await serveApp(domain, { authentication, settings });
  return {
    ask,
    as: (token, asked) => {
      const question = typeof asked === "string" ? { path: asked } : asked;
      return ask({ ...question, headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...question.headers } });
    },
  };
}

/** A token of the right form that nobody was given. */
export function strangersToken(): string {
  return `envm_${randomBytes(8).toString("hex")}_${randomBytes(32).toString("base64url")}`;
}

/** What a token of no interest is to have. */
export const READER: TokenRequest = { name: "ci", role: "reader", projects: ["pf-1"] };

export function secretOf({ token }: Pick<ShownToken, "token">): string {
  return token.slice(-43);
}

/** The same token but for the last character of its secret. */
export function almost(token: string): string {
  return token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
}

/** One more engine on the same store. */
export function instance({ store, vault, failures, clock }: Access): Domain {
  return domainOn(store, vault, failures, { clock: clockOf(clock) });
}

/** All of an error that anybody is told. */
export async function told(promise: Promise<unknown>): Promise<Pick<AppError, "code" | "message" | "fix" | "details">> {
  const { code, message, fix, details } = await errorOf(promise);
  return { code, message, fix, details };
}

/** `<code>: <message>` */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  const { code, message } = await told(promise);
  return `${code}: ${message}`;
}

export interface Calls {
  readonly gets: number;
  readonly keys: number;
  readonly lists: number;
  readonly entries: number;
  readonly commits: number;
  readonly puts: number;
}

/** The store, and what was asked of it since that was last taken. */
export function countingCalls(store: Store): { readonly store: Store; taken(): Calls } {
  const zero = { gets: 0, keys: 0, lists: 0, entries: 0, commits: 0, puts: 0 };
  const counts = { ...zero };
  return {
    taken: () => {
      const taken = { ...counts };
      Object.assign(counts, zero);
      return taken;
    },
    store: wrapped(store, {
      get: (partition, keys) => {
        counts.gets++;
        counts.keys += keys.length;
        return store.get(partition, keys);
      },
      list: async (partition, range) => {
        const entries = await store.list(partition, range);
        counts.lists++;
        counts.entries += entries.length;
        return entries;
      },
      commit: (partition, change) => {
        counts.commits++;
        counts.puts += change.puts.length;
        return store.commit(partition, change);
      },
    }),
  };
}
