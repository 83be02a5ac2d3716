import type { EnvironmentType, RevisionAction, VariableInput } from "../../src/model.ts";
import type { EnvironmentPolicy, Policy } from "../../src/policy.ts";
import type { Json } from "../../src/ports.ts";
import {
  bumped,
  bumpOf,
  type Components,
  type Config,
  changesBetween,
  DAY,
  type Environment,
  edited,
  flagOf,
  HOUR,
  headOf,
  milliseconds,
  numbersOf,
  type Report,
  type Revision,
  refuse,
  requirementsOf,
  rulesFor,
  type Secret,
  same,
  sortVariables,
  syncStatusOf,
  typeOf,
  unboundIn,
} from "./reference.ts";

/** Who acts: everybody may do everything, but for those of whom steps say otherwise. */
export interface Actor {
  readonly name: string;
  readonly mayReveal: boolean;
  readonly mayForce: boolean;
  readonly mayApprove: boolean;
}

export interface Labels {
  readonly version?: string | undefined;
  readonly bump?: "major" | "minor" | "patch" | undefined;
}

export interface CreateWish {
  readonly env: string;
  readonly base: string | null;
  readonly type?: EnvironmentType | undefined;
  readonly expires_in?: string | undefined;
  readonly version?: string | undefined;
  readonly secrets?: "copy" | "empty" | undefined;
  readonly env_variables?: Readonly<Record<string, VariableInput>> | undefined;
}

export interface ConfigWish extends Labels {
  readonly env: string;
  readonly vars: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, Json>>;
  readonly unset: readonly string[];
}

/** The members of a result that the model foretells. */
export type Expected = Readonly<Record<string, unknown>>;

/** How the retention of secrets is bounded in these tests. */
export interface Bounds {
  readonly rollbackRevisions: number;
}

const EMPTY: Config = { vars: {}, flags: {}, secrets: {} };
const GRACE = DAY;
const WINDOW = 90 * DAY;

/** What the engine ought to be: a list of revisions for each environment, and everything else counted from it. */
export class World {
  now: number;
  readonly environments = new Map<string, Environment>();
  readonly labels = new Map<string, Components>();
  policy: Policy = {};
  policyRevision = 0;
  #secrets = 0;
  #collectedAt: number | null = null;
  readonly #bounds: Bounds;

  constructor(now: number, bounds: Bounds) {
    this.now = now;
    this.#bounds = bounds;
  }

  find(env: string, missing: "environment_not_found" | "base_not_found" = "environment_not_found"): Environment {
    return this.environments.get(env) ?? refuse(missing);
  }

  isExpired({ status, expiresAt }: Environment): boolean {
    return status === "expired" || (expiresAt !== null && expiresAt <= this.now);
  }

  readable(env: string, missing?: "base_not_found"): Environment {
    const found = this.find(env, missing);
    return this.isExpired(found) ? refuse("environment_expired") : found;
  }

  writable(env: string): Environment {
    const found = this.readable(env);
    return found.status === "archived" ? refuse("environment_archived") : found;
  }

  rules(environment: Pick<Environment, "name" | "type">): EnvironmentPolicy {
    return rulesFor(this.policy, environment);
  }

  /** By number, by label or a beginning of one, or by time: the newest that fits. */
  resolve(environment: Environment, reference: string): Revision {
    const { revisions } = environment;
    if (/^\d+$/.test(reference)) return revisions[Number(reference) - 1] ?? refuse("revision_not_found");
    if (reference.includes("T")) {
      return revisions.findLast(({ at }) => at <= Date.parse(reference)) ?? refuse("revision_not_found");
    }
    return this.withVersion(environment, reference) ?? refuse("version_not_found");
  }

  withVersion({ revisions }: Environment, prefix: string): Revision | undefined {
    const wanted = numbersOf(prefix);
    return revisions.findLast(({ version }) => wanted.every((part, index) => part === numbersOf(version)[index]));
  }

  nextLabel(base: string, bump: "major" | "minor" | "patch", { version, bump: asked }: Labels = {}): string {
    if (version !== undefined && asked !== undefined) refuse("invalid_request");
    if (version !== undefined) return this.labels.has(version) ? refuse("version_taken") : version;
    let label = bumped(base, asked ?? bump);
    while (this.labels.has(label)) label = bumped(label, asked ?? bump);
    return label;
  }

  append(
    environment: Environment,
    by: string,
    draft: {
      action: RevisionAction;
      platform?: Components;
      config?: Config;
      version?: string;
      parents?: readonly Revision[];
      sourceVersion?: string | null;
    },
  ): Revision {
    const before = environment.revisions.at(-1);
    const revision: Revision = {
      env: environment.name,
      number: environment.revisions.length + 1,
      platform: draft.platform ?? before?.platform ?? {},
      config: draft.config ?? before?.config ?? EMPTY,
      version: draft.version ?? before?.version ?? "",
      action: draft.action,
      by,
      at: this.now,
      parents: draft.parents ?? (before === undefined ? [] : [before]),
      sourceVersion: draft.sourceVersion ?? null,
    };
    environment.revisions.push(revision);
    if (!this.labels.has(revision.version)) this.labels.set(revision.version, revision.platform);
    return revision;
  }

  secret(value: string, copied = false): Secret {
    return { id: ++this.#secrets, value, copied, boundAt: this.now, gone: false };
  }

  secretsFrom(values: Readonly<Record<string, string>>): Record<string, Secret> {
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, this.secret(value)]));
  }

  create(actor: Actor, wish: CreateWish): Expected {
    const existing = this.environments.get(wish.env) ?? null;
    const updates = wish.type === "preview" && existing?.type === "preview" && existing.status !== "archived";
    if (existing !== null && !updates) refuse("environment_exists");
    if (existing !== null && wish.base === wish.env) refuse("base_not_found");
    const base = wish.base === null ? null : this.readable(wish.base, "base_not_found");
    if (existing !== null && base !== null && this.rules(existing).protected === true) refuse("environment_protected");
    const type = existing?.type ?? wish.type ?? typeOf(wish.env, wish.expires_in !== undefined);
    const about = { name: wish.env, type };
    const expiresAt = this.#expiry(wish.expires_in ?? (type === "preview" ? this.#usual("72h", about) : undefined), about);
    const own = existing !== null && !existing.cleared ? headOf(existing).config : null;
    const inherited = own ?? (base === null ? EMPTY : headOf(base).config);
    const declared = requirementsOf(this.#from(wish, base, existing).platform).filter(({ kind }) => kind === "secret");
    const isSecret = (name: string) => Object.hasOwn(inherited.secrets, name) || declared.some((one) => one.name === name);
    const { vars, secrets: values } = sortVariables(wish.env_variables ?? {}, isSecret);
    const secrets = this.secretsFrom(values);
    if (base !== null && own === null && this.#copiesSecrets(actor, base, wish.secrets)) {
      for (const [name, secret] of Object.entries(inherited.secrets)) {
        if (Object.hasOwn(secrets, name)) continue;
        if (secret.gone) refuse("secret_unavailable");
        secrets[name] = this.secret(secret.value, true);
      }
    }
    const start = this.#start(wish, base, existing);
    const kept = own === null ? {} : own.secrets;
    const withoutNewSecrets = Object.fromEntries(Object.keys(secrets).map((name) => [name, undefined]));
    const config: Config = {
      vars: edited(inherited.vars, { ...withoutNewSecrets, ...vars }),
      flags: inherited.flags,
      secrets: { ...kept, ...secrets },
    };
    const left = own === null ? Object.keys(inherited.secrets).filter((name) => !Object.hasOwn(secrets, name)) : [];
    const environment: Environment = existing ?? {
      name: wish.env,
      type,
      revisions: [],
      status: "active",
      base: null,
      heldAt: null,
      expiresAt: null,
      cleared: false,
      deployment: null,
      deployed: null,
    };
    const parents = [...(existing === null ? [] : [headOf(existing)]), ...(start.from === null ? [] : [start.from])];
    this.environments.set(wish.env, environment);
    Object.assign(environment, { status: "active", base: base?.name ?? environment.base, expiresAt, cleared: false });
    const action = existing === null ? "create" : "update";
    const revision = this.append(environment, actor.name, { ...start, action, config, parents });
    const missing = unboundIn(revision.platform, config).filter(({ kind }) => kind === "secret");
    return {
      status: existing === null ? "env_created" : "env_updated",
      env: wish.env,
      linked_version: revision.version,
      revision: revision.number,
      type,
      expires_at: iso(expiresAt),
      stored: { vars: Object.keys(vars).sort(), secrets: Object.keys(secrets).sort() },
      secrets_unbound: [...new Set([...left, ...missing.map(({ name }) => name)])].sort(),
    };
  }

  #copiesSecrets(actor: Actor, base: Environment, asked: "copy" | "empty" | undefined): boolean {
    if (asked === "empty") return false;
    if (asked === "copy") return actor.mayReveal || refuse("forbidden");
    return actor.mayReveal && this.rules(base).protected !== true;
  }

  #from(wish: CreateWish, base: Environment | null, existing: Environment | null) {
    const older = base === null || wish.version === undefined ? undefined : this.withVersion(base, wish.version);
    const from = older ?? (base === null ? null : headOf(base));
    const own = existing === null ? null : headOf(existing);
    return { older, from, own, platform: from?.platform ?? own?.platform ?? {} };
  }

  #start(wish: CreateWish, base: Environment | null, existing: Environment | null) {
    const { older, from, own, platform } = this.#from(wish, base, existing);
    const isChosen = older === undefined && wish.version !== undefined;
    if (isChosen && !/^v\d+\.\d+\.\d+$/.test(wish.version ?? "")) refuse("invalid_version");
    const version = isChosen ? (wish.version ?? "") : (from?.version ?? own?.version ?? "v0.1.0");
    const known = this.labels.get(version);
    if (known === undefined || same(known, platform)) return { platform, version, from };
    if (wish.version !== undefined) refuse("version_taken");
    return { platform, version: this.nextLabel(version, "patch"), from };
  }

  /** The usual life of a preview, or the longest that the policy lets it live. */
  #usual(duration: string, about: Pick<Environment, "name" | "type">): string {
    const { max_ttl = duration } = this.rules(about);
    return milliseconds(max_ttl) < milliseconds(duration) ? max_ttl : duration;
  }

  #expiry(duration: string | undefined, about: Pick<Environment, "name" | "type">): number | null {
    if (duration === undefined) return null;
    if (about.type !== "preview") refuse("invalid_request");
    checkDuration(duration);
    const longest = Math.min(365 * DAY, milliseconds(this.rules(about).max_ttl ?? "365d"));
    return milliseconds(duration) <= longest ? this.now + milliseconds(duration) : refuse("invalid_request");
  }

  /** `set` and `remove`, or with `whole` exactly `set`. */
  edit(
    actor: Actor,
    { env, set, remove, whole, ...labels }: Labels & { env: string; set: Components; remove: readonly string[]; whole: boolean },
  ): Expected {
    const environment = this.writable(env);
    if (this.rules(environment).protected === true) refuse("environment_protected");
    const before = headOf(environment);
    if (remove.some((name) => !Object.hasOwn(before.platform, name))) refuse("component_not_found");
    const removed = Object.fromEntries(remove.map((name) => [name, undefined]));
    const platform = whole ? set : edited(before.platform, { ...set, ...removed });
    const changes = changesBetween(before.platform, platform);
    if (changes.length === 0) return written("no_changes", before);
    const version = this.nextLabel(before.version, bumpOf(changes), labels);
    return written("updated", this.append(environment, actor.name, { action: "update", platform, version }));
  }

  configure(actor: Actor, wish: ConfigWish): Expected {
    if (Object.keys(wish.secrets).some((name) => Object.hasOwn(wish.vars, name))) refuse("invalid_request");
    const kinds = ["vars", "secrets", "flags"] as const;
    const named = [...kinds.flatMap((kind) => Object.keys(wish[kind]).map((name) => `${kind}/${name}`)), ...wish.unset];
    if (new Set(named).size < named.length) refuse("invalid_request");
    const environment = this.writable(wish.env);
    const before = headOf(environment);
    const declared = (name: string) => requirementsOf(before.platform).some((one) => one.kind === "secret" && one.name === name);
    const isSecret = (name: string) => Object.hasOwn(before.config.secrets, name) || declared(name);
    if (Object.keys(wish.vars).some(isSecret)) refuse("secret_stays_secret");
    const secrets = this.secretsFrom(wish.secrets);
    const gone = (kind: string) =>
      Object.fromEntries(wish.unset.flatMap((entry) => (entry.startsWith(`${kind}/`) ? [[entry.slice(kind.length + 1), undefined]] : [])));
    const turned = Object.fromEntries(Object.keys(secrets).map((name) => [name, undefined]));
    const flags = Object.fromEntries(Object.entries(wish.flags).map(([name, input]) => [name, flagOf(input)]));
    const config: Config = {
      vars: edited(before.config.vars, { ...wish.vars, ...gone("vars"), ...turned }),
      flags: edited(before.config.flags, { ...flags, ...gone("flags") }),
      secrets: edited(before.config.secrets, { ...secrets, ...gone("secrets") }),
    };
    if (same(config, before.config)) return written("no_changes", before);
    const version = this.nextLabel(before.version, "patch", wish);
    return written("updated", this.append(environment, actor.name, { action: "config", config, version }));
  }

  rollback(actor: Actor, { env, to, keepSecrets, dryRun }: { env: string; to: string; keepSecrets: boolean; dryRun: boolean }): Expected {
    const environment = this.writable(env);
    const before = headOf(environment);
    const target = this.resolve(environment, to);
    const config = keepSecrets ? withSecretsOf(target.config, before.config) : target.config;
    const returning = Object.entries(config.secrets).filter(([name, secret]) => before.config.secrets[name]?.id !== secret.id);
    if (returning.some(([, secret]) => secret.gone)) refuse("secret_unavailable");
    const isSame = same(target.platform, before.platform) && same(config, before.config) && target.version === before.version;
    const result = { env, version: target.version, restored_revision: target.number };
    if (isSame) return { ...result, status: "no_changes", revision: before.number };
    if (dryRun) return { ...result, status: "planned", revision: before.number };
    const { platform, version } = target;
    const made = this.append(environment, actor.name, { action: "rollback", platform, config, version, parents: [target] });
    environment.heldAt = this.now;
    return { ...result, status: "rolled_back", revision: made.number };
  }

  hold(_actor: Actor, env: string): Expected {
    const environment = this.writable(env);
    environment.heldAt = this.now;
    return statusOf("held", environment);
  }

  resume(_actor: Actor, env: string): Expected {
    const environment = this.writable(env);
    if (environment.heldAt === null) refuse("invalid_transition");
    environment.heldAt = null;
    return statusOf("resumed", environment);
  }

  extend(_actor: Actor, env: string, expiresIn: string | undefined): Expected {
    // Whether it may be edited is asked first, which needs one that is there.
    this.find(env);
    checkDuration(expiresIn);
    const environment = this.writable(env);
    environment.expiresAt = this.#expiry(expiresIn, environment) ?? refuse("invalid_request");
    return statusOf("extended", environment);
  }

  archive(actor: Actor, env: string): Expected {
    const environment = this.writable(env);
    environment.status = "archived";
    this.append(environment, actor.name, { action: "archive" });
    return statusOf("archived", environment);
  }

  restore(actor: Actor, env: string, expiresIn: string | undefined): Expected {
    // As above.
    const environment = this.find(env);
    checkDuration(expiresIn);
    const isOver = this.isExpired(environment) && this.graceEnd(environment) <= this.now;
    if (environment.cleared || isOver) refuse("environment_expired");
    if (environment.status === "active" && !this.isExpired(environment)) refuse("invalid_transition");
    const expiresAt = this.#expiry(
      expiresIn ?? (environment.expiresAt === null ? undefined : this.#usual("24h", environment)),
      environment,
    );
    Object.assign(environment, { status: "active", expiresAt });
    this.append(environment, actor.name, { action: "restore" });
    return statusOf("restored", environment);
  }

  /** When an environment that expired cannot be brought back any more. */
  graceEnd(environment: Environment): number {
    return (environment.expiresAt ?? headOf(environment).at) + GRACE;
  }

  /** The timer of an environment went off. */
  expire(env: string): void {
    const environment = this.environments.get(env);
    if (environment === undefined) return;
    if (environment.status === "active" && this.isExpired(environment)) {
      environment.status = "expired";
      this.append(environment, "engine", { action: "expire" });
    }
    if (environment.status !== "expired" || environment.cleared || this.graceEnd(environment) > this.now) return;
    environment.cleared = true;
    for (const secret of Object.values(headOf(environment).config.secrets)) secret.gone = true;
  }

  report(
    _actor: Actor,
    { env, version, revision, status }: { env: string; version: string; revision: number | undefined; status: Report["status"] },
  ): Expected {
    const environment = this.writable(env);
    const reported = this.resolve(environment, revision === undefined ? version : String(revision));
    if (revision !== undefined && reported.version !== version) refuse("invalid_request");
    const about = { env, version: reported.version, revision: reported.number };
    const newest = environment.deployment;
    const isStale =
      newest !== null &&
      (reported.number < newest.revision.number ||
        (reported.number === newest.revision.number && (status === newest.status || status === "deploying")));
    if (isStale) return { status: "stale", ...about, sync_status: syncStatusOf(environment) };
    environment.deployment = { status, revision: reported, at: this.now };
    if (status === "deployed") environment.deployed = environment.deployment;
    return { status: "recorded", ...about, sync_status: syncStatusOf(environment) };
  }

  /** Which environment's deployments are promoted to this one by themselves. */
  autoSource(environment: Environment): string | null {
    const { auto_promote_from, auto_promote } = this.rules(environment);
    if (auto_promote_from !== undefined) return auto_promote_from;
    const { pipeline = [] } = this.policy;
    return (auto_promote === true && pipeline[pipeline.indexOf(environment.name) - 1]) || null;
  }

  govern(_actor: Actor, policy: Policy): Expected {
    const { pipeline = [], environments = {} } = policy;
    if (pipeline.some((env) => !this.environments.has(env))) refuse("invalid_policy");
    for (const [env, { auto_promote, auto_promote_from }] of Object.entries(environments)) {
      if (auto_promote_from === env) refuse("invalid_policy");
      if (auto_promote === true && auto_promote_from === undefined && pipeline.indexOf(env) < 1) refuse("invalid_policy");
    }
    if (this.policyRevision > 0 && same(this.policy, policy)) return { status: "no_changes", revision: this.policyRevision };
    this.policy = policy;
    this.policyRevision++;
    return { status: "updated", revision: this.policyRevision };
  }

  /** The sweeper's round: it collects at most once in six hours. */
  sweep(): void {
    if (this.#collectedAt !== null && this.#collectedAt + 6 * HOUR > this.now) return;
    this.#collectedAt = this.now;
    this.collect();
  }

  /** Gives up what no rollback may ask for any more. */
  collect(): void {
    for (const environment of this.environments.values()) {
      const { status, revisions } = environment;
      if (status === "archived" && headOf(environment).at <= this.now - WINDOW) environment.cleared = true;
      const keepFrom = environment.cleared ? revisions.length + 1 : this.#keptFrom(environment);
      const kept = environment.cleared ? [] : [headOf(environment), ...revisions.slice(keepFrom - 1)];
      const needed = new Set(kept.flatMap(({ config }) => Object.values(config.secrets)));
      const old = (secret: Secret) => environment.cleared || secret.boundAt < this.now - WINDOW;
      if (keepFrom <= 1) continue;
      for (const secret of revisions.flatMap(({ config }) => Object.values(config.secrets))) {
        if (!needed.has(secret) && old(secret)) secret.gone = true;
      }
    }
  }

  #keptFrom({ revisions }: Environment): number {
    const amongNewest = revisions.length - this.#bounds.rollbackRevisions + 1;
    const inWindow = revisions.findLastIndex(({ at }) => at <= this.now - WINDOW) + 1;
    if (amongNewest <= 1 || inWindow <= 1) return 1;
    return Math.min(amongNewest, inWindow);
  }
}

function checkDuration(text: string | undefined): void {
  if (text !== undefined && !/^[1-9]\d*[smhd]$/.test(text)) refuse("invalid_request");
}

/** What becomes a secret, or stays one, is no var any more. */
function withSecretsOf(config: Config, { secrets }: Config): Config {
  const vars = edited(config.vars, Object.fromEntries(Object.keys(secrets).map((name) => [name, undefined])));
  return { vars, flags: config.flags, secrets };
}

function written(status: "updated" | "no_changes", { env, version, number }: Revision): Expected {
  return { status, env, version, revision: number };
}

function statusOf(status: string, environment: Environment): Expected {
  const { env, version, number } = headOf(environment);
  return { status, env, version, revision: number, expires_at: iso(environment.expiresAt) };
}

export function iso(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
