import { forbidden, may } from "./callers.ts";
import { summary } from "./changes.ts";
import { checkBytes } from "./content-bounds.ts";
import type { Shown } from "./document-cache.ts";
import { appendEdit, type EditRequest, type EditResult, editResult, plannedEdit } from "./edits.ts";
import { AppError } from "./errors.ts";
import { checkPrecondition, headTag, type TaggedRead } from "./etags.ts";
import { type Evaluations, evaluateAll } from "./evaluation.ts";
import { checkFlags, type FlagEdits, flagEntries } from "./flag-entries.ts";
import type { HeadCache } from "./head-cache.ts";
import { documentsOf, findRevision, readableHead, writableHead } from "./heads.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { Caller, Environment, Revision, VariableInput } from "./model.ts";
import { CONFIG_COLLECTIONS, checkConfigKey, checkProject, quoted } from "./names.ts";
import { checkMayEdit } from "./policy.ts";
import type { Hash, Json, JsonObject, Store } from "./ports.ts";
import { type Defaults, defaultsOf, requirementsOf, secretNames } from "./requirements.ts";
import type { Secrets, SecretValue } from "./secrets.ts";
import type { Maps, Snapshots } from "./snapshots.ts";
import { checkSecret, checkVar, sortVariables, staysSecret } from "./variables.ts";

export interface ConfigPatch extends EditRequest, FlagEdits {
  readonly vars?: JsonObject | undefined;
  readonly secrets?: JsonObject | undefined;
  /** Sorted into vars and secrets, as for a new environment. */
  readonly env_variables?: Readonly<Record<string, VariableInput>> | undefined;
  /** `vars/K`, `secrets/K`, `flags/K`, `evaluators/K` or `flag_metadata/K`. */
  readonly unset?: readonly string[] | undefined;
  /** Answers what the edit would do, and changes nothing. */
  readonly dry_run?: boolean | undefined;
}

interface ConfigPatched extends Omit<EditResult, "status"> {
  readonly status: EditResult["status"] | "planned";
  /** Where `env_variables` were sent: which of them are vars, and which secrets. */
  readonly stored?: { readonly vars: readonly string[]; readonly secrets: readonly string[] };
}

interface RuntimeRequest {
  readonly at?: number | undefined;
  /** What flags are evaluated for. */
  readonly context?: JsonObject | undefined;
}

/** What an environment's config holds, sorted by kind. */
export interface ConfigContent {
  readonly vars: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, Json>>;
  readonly flags: Readonly<Record<string, Json>>;
  readonly evaluators: Readonly<Record<string, Json>>;
  readonly flag_metadata: Readonly<Record<string, Json>>;
}

/** Vars, flags and secret references: bound to one environment, never carried to another. */
export class ConfigStore {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;
  readonly #secrets: Secrets;
  readonly #evaluations: Evaluations;
  readonly #heads: HeadCache;

  constructor(store: Store, ledger: Ledger, snapshots: Snapshots, secrets: Secrets, heads: HeadCache, evaluations: Evaluations) {
    this.#evaluations = evaluations;
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
    this.#secrets = secrets;
    this.#heads = heads;
  }

  /** The head's config, or revision `at`'s. Of a secret it tells that it is set, and nothing else. */
  async read(project: string, env: string, { at }: { at?: number | undefined }): Promise<TaggedRead> {
    const { value: shown, ageMs } = await this.#known(project, env, at);
    return { ageMs, ...this.readAt(project, shown) };
  }

  /** The config of a head or revision that was found before. */
  readAt(project: string, shown: Environment | Revision): TaggedRead {
    const about = { env: shown.env, version: shown.version, revision: shown.revision };
    return {
      project_id: project,
      ...about,
      tag: headTag(project, shown),
      load: async () => {
        const maps = this.#snapshots.read(project);
        const [content, requirements] = await Promise.all([readConfig(maps, shown.config), requirementsOf(maps, shown.platform)]);
        const { vars, secrets, flags, ...shared } = content;
        const set = Object.fromEntries(Object.keys(secrets).map((name) => [name, { set: true }]));
        const defaults = shownDefaults(defaultsOf(requirements, content));
        return { project_id: project, ...about, vars, secrets: set, flags, ...defaults, ...present(shared) };
      },
    };
  }

  /** Sets and unsets some entries; all of them or, where one is refused, none. */
  async patch(caller: Caller, request: ConfigPatch): Promise<ConfigPatched> {
    checkProject(request.project);
    return this.#ledger.once(request.project, caller, async () => {
      if (request.env_variables === undefined) return this.#patch(caller, request, {});
      const { patch, stored } = await this.#sorted(request, request.env_variables);
      return this.#patch(caller, { ...request, ...patch }, { stored });
    });
  }

  /** @param told what the answer says besides: it is kept with it, where the request has a key */
  async #patch(caller: Caller, request: ConfigPatch, told: Pick<ConfigPatched, "stored">): Promise<ConfigPatched> {
    const { project, env } = request;
    const { edits, secrets } = parsePatch(request);
    // Everything that can be refused is refused before a secret is written to the vault.
    if (secrets.size > 0 || request.dry_run) {
      const before = await this.#writable(project, env);
      await checkMayEdit(documentsOf(this.#store, project), caller, before);
      checkPrecondition(project, before, request.ifMatch);
      await checkEdits(this.#snapshots.read(project), before, edits);
      if (request.dry_run) return { ...(await this.#planned(request, before, edits, secrets)), ...told };
    }
    const staged = await this.#secrets.stage(caller, project, env, secrets);
    try {
      return await this.#ledger.write(project, caller, async (tx) => {
        const head = await writableHead(tx, env, tx.clock);
        await checkMayEdit(tx, caller, head);
        checkPrecondition(project, head, request.ifMatch);
        const maps = this.#snapshots.edit(tx);
        await checkEdits(maps, head, edits);
        const all = staged.references.size === 0 ? edits : new Map([...edits, ...staged.references]);
        const { root, changes } = await maps.edit(head.config, all);
        const changed = summary({ platform: [], config: changes });
        if (changes.length === 0) return { ...editResult("no_changes", project, head, changed), ...told };
        await checkConfigSize(maps, root, head.config);
        await staged.bind(tx);
        const snapshot = { platform: head.platform, config: root };
        return { ...(await appendEdit(tx, head, request, { action: "config", snapshot, bump: "patch", changes: changed })), ...told };
      });
    } catch (error) {
      await staged.discard().catch(() => {}); // The sweeper does it later; the caller must hear what failed first.
      throw error;
    }
  }

  /** What is a secret there, or is declared as one, stays one. */
  async #sorted({ project, env, vars = {}, secrets = {} }: ConfigPatch, env_variables: NonNullable<ConfigPatch["env_variables"]>) {
    const head = await this.#writable(project, env);
    const known = await secretNames(this.#snapshots.read(project), head, Object.keys(env_variables));
    const sorted = sortVariables(env_variables, (name) => known.has(name));
    const twice = Object.keys(env_variables).find((name) => Object.hasOwn(vars, name) || Object.hasOwn(secrets, name));
    if (twice !== undefined) throw namedTwice(twice);
    return {
      patch: {
        vars: { ...vars, ...Object.fromEntries(sorted.vars) },
        secrets: { ...secrets, ...Object.fromEntries(sorted.secrets) },
      },
      stored: { vars: [...sorted.vars.keys()].sort(), secrets: [...sorted.secrets.keys()].sort() },
    };
  }

  /** What the edit would change. A secret that is set counts as changed: only the vault knows whether it is another one. */
  async #planned(
    request: ConfigPatch,
    head: Environment,
    edits: ReadonlyMap<string, Json | undefined>,
    secrets: ReadonlyMap<string, SecretValue>,
  ): Promise<ConfigPatched> {
    const maps = this.#snapshots.draft(request.project);
    const references = [...secrets.keys()].map((name): [string, Json] => [`secrets/${name}`, null]);
    const { root, changes } = await maps.edit(head.config, new Map([...edits, ...references]));
    await checkConfigSize(maps, root, head.config);
    const documents = documentsOf(this.#store, request.project);
    return plannedEdit(documents, head, request, summary({ platform: [], config: changes }), changes.length > 0);
  }

  /**
   * What an application runs with: vars and flags (with the platform's defaults), what the flags are for `context`, and secret values,
   * fetched at this moment. Flags without a value are left out of `flag_values`: the application's own default holds.
   */
  async runtime(caller: Caller, project: string, env: string, { at, context = {} }: RuntimeRequest) {
    checkMayReveal(caller, project, env);
    const shown = await this.#shown(project, env, at);
    const maps = this.#snapshots.read(project);
    const [content, requirements, flags] = await Promise.all([
      readConfig(maps, shown.config),
      requirementsOf(maps, shown.platform),
      this.#evaluations.flags(project, shown),
    ]);
    const evaluated = evaluateAll(flags, context).load();
    const values = evaluated.flatMap((flag): [string, Json][] =>
      "value" in flag && flag.value !== undefined ? [[flag.key, flag.value]] : [],
    );
    const secrets = await this.#revealAll(project, env, Object.entries(content.secrets));
    await this.#auditReveal(caller, project, shown, "runtime", Object.keys(secrets));
    const { version, revision } = shown;
    return {
      project_id: project,
      env,
      version,
      revision,
      vars: { ...defaultsOf(requirements, content).vars, ...content.vars },
      secrets,
      flags: flags.definitions,
      flag_values: Object.fromEntries(values),
      ...present({ evaluators: content.evaluators, flag_metadata: content.flag_metadata }),
    };
  }

  /** The values of some secrets, or of all where `names` is left out. @throws key_not_found, secret_unavailable */
  async reveal(caller: Caller, request: { project: string; env: string; names?: readonly string[] | undefined; at?: number | undefined }) {
    const { project, env } = request;
    checkMayReveal(caller, project, env);
    const shown = await this.#shown(project, env, request.at);
    const { secrets } = await readConfig(this.#snapshots.read(project), shown.config);
    // Each once: what is named again and again would leave no room in the record for the others.
    const names = [...new Set(request.names ?? Object.keys(secrets))];
    const wanted = names.map((name): [string, Json] => {
      const reference = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
      if (reference !== undefined) return [name, reference];
      throw new AppError("key_not_found", {
        reason: `The environment ${quoted(env)} has no secret ${quoted(name)}.`,
        fix: `GET /env/${project}/${env}/config lists the names of its secrets.`,
      });
    });
    const revealed = await this.#revealAll(project, env, wanted);
    await this.#auditReveal(caller, project, shown, "reveal", names);
    return { project_id: project, env, version: shown.version, revision: shown.revision, secrets: revealed };
  }

  async #revealAll(project: string, env: string, references: readonly [string, Json][]): Promise<Record<string, string>> {
    const values = await this.#secrets.revealAll(project, env, references);
    return Object.fromEntries(references.map(([name], index) => [name, values[index] ?? ""]));
  }

  /** A value leaves only after the record of it is durable. */
  async #auditReveal(caller: Caller, project: string, shown: Environment | Revision, via: string, names: readonly string[]): Promise<void> {
    await this.#ledger.write(project, caller, (tx) =>
      tx.audit({
        action: "reveal",
        environment: shown.env,
        version: shown.version,
        revision: shown.revision,
        details: { via, secrets: names.slice(0, LIMITS.revealedNames), count: names.length },
      }),
    );
  }

  /** For what may be shown while the store cannot be reached: the head. Of another revision nothing is known then. */
  async #known(project: string, env: string, at: number | undefined): Promise<Shown<Environment | Revision>> {
    return at === undefined ? this.#heads.readable(project, env, "known") : { value: await this.#shown(project, env, at), ageMs: 0 };
  }

  async #shown(project: string, env: string, at: number | undefined): Promise<Environment | Revision> {
    const documents = documentsOf(this.#store, project);
    const head = await readableHead(documents, env, () => this.#now());
    return at === undefined ? head : findRevision(documents, head, at);
  }

  async #writable(project: string, env: string): Promise<Environment> {
    return writableHead(documentsOf(this.#store, project), env, await this.#now());
  }

  async #now(): Promise<string> {
    return (await this.#store.now()).toISOString();
  }
}

/** @throws forbidden */
function checkMayReveal(caller: Caller, project: string, env: string): void {
  if (may(caller, "reveal", project, env)) return;
  throw forbidden(caller, `reveal the secrets of ${quoted(env)}`, "Use a token with the right secrets:reveal for this environment.");
}

/** What most environments have none of is shown where there is any. */
function present<Members extends Readonly<Record<string, JsonObject>>>(members: Members): Partial<Members> {
  return Object.fromEntries(Object.entries(members).filter(([, content]) => Object.keys(content).length > 0)) as Partial<Members>;
}

function shownDefaults(defaults: Defaults): { readonly defaults?: Defaults } {
  const isEmpty = Object.keys(defaults.vars).length + Object.keys(defaults.flags).length === 0;
  return isEmpty ? {} : { defaults };
}

async function readConfig(maps: Maps, config: Hash): Promise<ConfigContent> {
  const kinds: Record<string, Record<string, Json>> = {
    vars: Object.create(null),
    secrets: Object.create(null),
    flags: Object.create(null),
    evaluators: Object.create(null),
    flag_metadata: Object.create(null),
  };
  for (const { key, value } of await maps.entries(config, { prefix: "", limit: LIMITS.configEntries })) {
    const slash = key.indexOf("/");
    const kind = kinds[key.slice(0, slash)];
    if (kind !== undefined) kind[key.slice(slash + 1)] = value;
  }
  return kinds as unknown as ConfigContent;
}

function parsePatch(request: ConfigPatch): { edits: ReadonlyMap<string, Json | undefined>; secrets: ReadonlyMap<string, SecretValue> } {
  const edits = new Map<string, Json | undefined>();
  const secrets = new Map<string, SecretValue>();
  const named = new Set<string>();
  const once = (name: string) => {
    if (named.has(name)) throw namedTwice(name);
    named.add(name);
  };
  for (const [name, value] of Object.entries(request.vars ?? {})) {
    checkVar(name, value);
    once(`vars/${name}`);
    edits.set(`vars/${name}`, value);
  }
  for (const [name, value] of Object.entries(request.secrets ?? {})) {
    checkSecret(name, value);
    once(`secrets/${name}`);
    if (named.has(`vars/${name}`)) throw namedTwice(name);
    secrets.set(name, { value });
  }
  for (const [entry, value] of flagEntries(request)) {
    once(entry);
    edits.set(entry, value);
  }
  for (const entry of request.unset ?? []) {
    checkEntryName(entry);
    once(entry);
    edits.set(entry, undefined);
  }
  // What becomes a secret is no var any more.
  for (const name of secrets.keys()) edits.set(`vars/${name}`, undefined);
  return { edits, secrets };
}

function namedTwice(name: string): AppError {
  return new AppError("invalid_request", { reason: `${quoted(name)} is named twice.`, fix: "Name each entry once." });
}

function checkEntryName(entry: string): void {
  const slash = entry.indexOf("/");
  const [kind, name] = [CONFIG_COLLECTIONS.get(entry.slice(0, slash)), entry.slice(slash + 1)];
  if (kind === undefined || name === "") {
    throw new AppError("invalid_request", {
      reason: `${quoted(entry)} names no config entry.`,
      fix: 'Name what to unset as "vars/NAME", "secrets/NAME", "flags/name", "evaluators/name" or "flag_metadata/name".',
    });
  }
  checkConfigKey(kind, name);
}

/** Against what the environment holds and its platform declares: no secret becomes a var, no rule loses what it refers to. */
export async function checkEdits(maps: Maps, head: Environment, edits: ReadonlyMap<string, Json | undefined>): Promise<void> {
  await checkFlags(maps, head.config, edits);
  const set: string[] = [];
  for (const [entry, value] of edits) if (value !== undefined && entry.startsWith("vars/")) set.push(entry.slice("vars/".length));
  if (set.length === 0) return;
  const secret = await maps.has(
    head.config,
    set.map((name) => `secrets/${name}`),
  );
  const offender = set.find((_, index) => secret[index]);
  if (offender !== undefined) throw staysSecret(offender);
  const declared = await maps.lookup(
    head.platform,
    set.map((name) => `requires/${name}`),
  );
  const demanded = set.find((_, index) => (declared[index] as { kind?: string } | undefined)?.kind === "secret");
  if (demanded !== undefined) {
    throw new AppError("secret_stays_secret", {
      reason: `The platform declares ${quoted(demanded)} as a secret, so it cannot be a var.`,
      fix: `Send it as {"secrets":{"${demanded}":"…"}}.`,
    });
  }
}

/**
 * What an older engine let grow larger may stay and become smaller.
 * @param before the config in whose place it comes
 * @throws too_large
 */
export async function checkConfigSize(maps: Maps, config: Hash, before: Hash): Promise<void> {
  if ((await maps.count(config)) > LIMITS.configEntries) {
    throw new AppError("too_large", {
      reason: `One environment holds at most ${LIMITS.configEntries} vars, secrets and flags.`,
      fix: FEWER,
    });
  }
  await checkBytes(maps, config, before, { prefix: "", what: "The vars and flags of one environment", fix: FEWER });
}

const FEWER = "Unset what is not needed, or keep large data in components.";
