import { expect } from "vitest";
import type { Engine, Members, Reply } from "./engine.ts";

export interface Created {
  readonly status: "env_created";
  readonly env: string;
  readonly linked_version: string;
  readonly url: string;
  readonly revision: number;
  readonly stored: { readonly vars: readonly string[]; readonly secrets: readonly string[] };
  readonly secrets_unbound: readonly string[];
}

export interface Written {
  readonly status: "updated" | "no_changes";
  readonly version: string;
  readonly revision: number;
  readonly changes: Members;
}

export interface CheckReply {
  readonly name: string;
  readonly status: "passed" | "failed" | "warning" | "skipped";
  readonly reason: string;
  readonly fix?: string;
}

interface DiffReply {
  readonly entities_added: readonly string[];
  readonly logic_changed: number;
  readonly env_updated: readonly string[];
}

export interface Promoted {
  readonly status: string;
  readonly version: string;
  readonly environment: string;
  readonly revision: number;
  readonly plan_id: string;
  readonly checks: readonly CheckReply[];
  readonly diff_from_previous: DiffReply;
}

interface RolledBack {
  readonly status: "rolled_back";
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  readonly diff_from_previous: DiffReply;
}

export interface Active {
  readonly project_id: string;
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  readonly snapshot: string;
  readonly checksum: string;
  readonly status: string;
  readonly url: string;
  readonly state_url: string;
  readonly config_url: string;
}

interface Config {
  readonly version: string;
  readonly revision: number;
  readonly vars: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, { readonly set: boolean }>>;
  readonly flags: Readonly<Record<string, Members>>;
}

export interface RevisionEntry {
  readonly project_id: string;
  readonly env: string;
  readonly revision: number;
  readonly version: string;
  readonly action: string;
  readonly snapshot: string;
  readonly created_by: string;
  readonly timestamp: string;
  readonly message: string | null;
  readonly parents: readonly unknown[];
  readonly changes: {
    readonly flows_updated: number;
    readonly feature_flags: readonly string[];
    readonly env_vars_changed: readonly string[];
  };
}

export interface PageOf<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

interface Side {
  readonly only_left: readonly string[];
  readonly only_right: readonly string[];
  readonly different: readonly { readonly name: string; readonly left?: unknown; readonly right?: unknown }[];
  readonly same_count: number;
}

interface Comparison {
  readonly left: Members;
  readonly right: Members;
  readonly components: Side;
  readonly vars: Side;
  readonly flags: Side;
  readonly secrets: Side;
}

export interface Verified {
  readonly valid: boolean;
  readonly records: number;
  readonly head: string;
}

interface Runtime {
  readonly version: string;
  readonly revision: number;
  readonly vars: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, Members>>;
}

/** What a change of any kind moves: each environment's head, and the length of the audit log. */
export interface Mark {
  readonly heads: Readonly<Record<string, number>>;
  readonly records: number;
}

let projects = 0;

/** A project of its own for one test. Each method asserts that it succeeded and gives the reply's body. */
export class Project {
  readonly id: string;
  readonly engine: Engine;

  constructor(engine: Engine, name = "pf") {
    projects += 1;
    this.engine = engine;
    this.id = `${name}-${projects}`;
  }

  /** `/env/<project>/<parts…>`, each part percent-encoded. */
  path(...parts: readonly string[]): string {
    return ["/env", this.id, ...parts].map((part) => (part === "/env" ? part : encodeURIComponent(part))).join("/");
  }

  async create(new_environment: string, more: Members = {}): Promise<Created> {
    return succeeded(await this.engine.request<Created>("POST", "/env/create", { project_id: this.id, new_environment, ...more }), 201);
  }

  async putState(env: string, state: unknown, more: Members = {}): Promise<Written> {
    return succeeded(await this.engine.request<Written>("PUT", this.path(env, "state"), { state, ...more }));
  }

  async patchState(env: string, change: Members): Promise<Written> {
    return succeeded(await this.engine.request<Written>("PATCH", this.path(env, "state"), change));
  }

  async patchConfig(env: string, change: Members): Promise<Written> {
    return succeeded(await this.engine.request<Written>("PATCH", this.path(env, "config"), change));
  }

  async putPolicy(policy: Members): Promise<void> {
    succeeded(await this.engine.request("PUT", this.path("policy"), policy));
  }

  /** As it comes back, whatever the status. */
  tryPromote<Body = Promoted>(source_env: string, target_env: string, more: Members = {}): Promise<Reply<Body>> {
    return this.engine.request<Body>("POST", "/env/promote", { project_id: this.id, source_env, target_env, ...more });
  }

  async promote(source_env: string, target_env: string, more: Members = {}): Promise<Promoted> {
    return succeeded(await this.tryPromote(source_env, target_env, more));
  }

  tryRollback<Body = RolledBack>(env: string, to: unknown, more: Members = {}): Promise<Reply<Body>> {
    return this.engine.request<Body>("POST", "/env/rollback", { project_id: this.id, env, to, ...more });
  }

  async rollback(env: string, to: unknown, more: Members = {}): Promise<RolledBack> {
    return succeeded(await this.tryRollback(env, to, more));
  }

  async deployed(env: string, { version, revision }: { version: string; revision: number }, status = "deployed"): Promise<void> {
    succeeded(await this.engine.request("POST", "/env/deployments", { project_id: this.id, env, version, revision, status }));
  }

  active(env: string): Promise<Active> {
    return this.read<Active>(this.path(env, "active"));
  }

  config(env: string, query = ""): Promise<Config> {
    return this.read<Config>(this.path(env, "config") + query);
  }

  runtime(env: string, query = ""): Promise<Runtime> {
    return this.read<Runtime>(this.path(env, "runtime") + query);
  }

  async state(env: string, query = ""): Promise<Readonly<Record<string, Members>>> {
    const body = await this.read<{ readonly state: Readonly<Record<string, Members>> }>(this.path(env, "state") + query);
    return body.state;
  }

  async revisions(env: string): Promise<readonly RevisionEntry[]> {
    const page = await this.read<PageOf<RevisionEntry>>(`${this.path(env, "revisions")}?limit=1000`);
    return page.items;
  }

  compare(left: string, right: string, more = ""): Promise<Comparison> {
    const sides = `left=${encodeURIComponent(left)}&right=${encodeURIComponent(right)}`;
    return this.read<Comparison>(`/env/compare?project_id=${this.id}&${sides}${more}`);
  }

  verify(query = ""): Promise<Verified> {
    return this.read<Verified>(this.path("audit", "verify") + query);
  }

  async mark(...envs: readonly string[]): Promise<Mark> {
    const heads: Record<string, number> = {};
    for (const env of envs) heads[env] = (await this.active(env)).revision;
    return { heads, records: (await this.verify()).records };
  }

  async read<Body>(path: string): Promise<Body> {
    return succeeded(await this.engine.get<Body>(path));
  }
}

export function succeeded<Body>(reply: Reply<Body>, status = 200): Body {
  expect(reply.status, reply.text).toBe(status);
  return reply.body;
}

export interface ErrorReply {
  readonly status: "error";
  readonly code: string;
  readonly reason: string;
  readonly fix_suggestion: string;
  readonly details?: Members;
  readonly request_id: string;
}

/** Asserts that the reply is an error as every error is: status, code, why, what to do, and the request's id. */
export function expectError(reply: Reply<unknown>, status: number, code: string): ErrorReply {
  const body = reply.body as ErrorReply;
  expect({ http: reply.status, code: body?.code }, reply.text.slice(0, 2_000)).toEqual({ http: status, code });
  expect(body.status).toBe("error");
  expect(body.reason).toMatch(/\S/);
  expect(body.fix_suggestion).toMatch(/\S/);
  expect(body.request_id).toMatch(/\S/);
  return body;
}

/** The failed checks of a refused promotion. */
export function failedChecks(reply: Reply<unknown>): readonly CheckReply[] {
  const { details } = expectError(reply, 409, "checks_failed");
  const checks = (details?.checks ?? []) as readonly CheckReply[];
  return checks.filter(({ status }) => status === "failed");
}

/** Resolves once the clock has left the millisecond of `timestamp`, so that what comes next is later. */
export async function clockPassed(timestamp: string): Promise<void> {
  while (Date.now() <= Date.parse(timestamp)) await new Promise(setImmediate);
}

/** The same, of whichever route: those of OpenFeature's remote evaluation refuse in its shape. */
export function expectRefused(path: string, reply: Reply<unknown>, status: number, code: string): void {
  if (!path.startsWith("/ofrep/")) {
    expectError(reply, status, code);
    return;
  }
  const { errorCode, errorDetails } = reply.body as { readonly errorCode?: string; readonly errorDetails?: string };
  expect({ http: reply.status, errorCode }, reply.text.slice(0, 2_000)).toEqual({ http: status, errorCode: OFREP_CODES[code] });
  expect(errorDetails).toMatch(/\S/);
}

/** What OpenFeature calls what we call so; `undefined` where it has no name for it. */
const OFREP_CODES: Readonly<Record<string, string>> = { invalid_json: "PARSE_ERROR" };
