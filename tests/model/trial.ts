import { createHash } from "node:crypto";
import { EVERYTHING, EXTRA_RIGHTS, type Role } from "../../src/access.ts";
import type { Compared } from "../../src/comparison.ts";
import { AppError } from "../../src/errors.ts";
import { SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import type { Caller } from "../../src/model.ts";
import type { Policy } from "../../src/policy.ts";
import type { Json, JsonObject } from "../../src/ports.ts";
import type { PromoteRequest } from "../../src/promotion.ts";
import { documents, jsonOf, PROJECT } from "../domain/support.ts";
import { checkEverything, checkStored, compared, History } from "./agreement.ts";
import { Engine, READER, type StoreKind } from "./engine.ts";
import { type Order, Promotions, type Wish } from "./promotions.ts";
import { approvalRule, type Config, type Environment, headOf, Refusal, same } from "./reference.ts";
import { type Action, ENVIRONMENTS, FIRST, MARK, type Naming, type PromoteStep, type Step, stepOf } from "./steps.ts";
import { type Actor, type Bounds, type Expected, iso, World } from "./world.ts";

/** What a command comes to in the model, and how the engine is asked for the same. */
interface Command {
  readonly told: string;
  readonly foretell: () => Expected;
  readonly perform: (caller: Caller) => Promise<unknown>;
  /** After both have agreed. */
  readonly learn?: (result: Record<string, unknown>) => void;
}

const ACTORS: Readonly<Record<string, Actor>> = {
  ann: { name: "ann", mayReveal: true, mayForce: true, mayApprove: true },
  bob: { name: "bob", mayReveal: true, mayForce: true, mayApprove: true },
  cy: { name: "cy", mayReveal: true, mayForce: true, mayApprove: true },
  eve: { name: "eve", mayReveal: false, mayForce: false, mayApprove: true },
  robot: { name: "robot", mayReveal: false, mayForce: false, mayApprove: false },
};

function roleOf({ mayForce, mayApprove }: Actor): Role {
  if (mayForce) return "admin";
  return mayApprove ? "promoter" : "engine";
}

/** Steps between two looks at everything. */
const LOOK_EVERY = 11;

/** One run: the same commands to the engine and to the model. */
export class Trial {
  readonly engine: Engine;
  readonly world: World;
  readonly promotions: Promotions;
  /** What was done, and what came of it: a line for each command. */
  readonly log: string[];
  readonly #history = new History();
  readonly #seen = new Map<string, number>();
  #plan: { readonly wish: Wish; readonly request: PromoteRequest; readonly basis: string; readonly planId: string } | null = null;
  #requests = 0;

  private constructor(engine: Engine, bounds: Bounds, log: string[]) {
    this.engine = engine;
    this.world = new World(engine.clock.time, bounds);
    this.promotions = new Promotions(this.world);
    this.log = log;
  }

  /** @throws where engine and model differ, or an invariant is broken. `log` tells of the commands so far. */
  static async run(kind: StoreKind, steps: readonly Step[], bounds: Bounds, log: string[] = []): Promise<Trial> {
    const engine = await Engine.open(kind);
    try {
      const trial = new Trial(engine, bounds, log);
      await trial.#run(steps);
      return trial;
    } finally {
      await engine.close();
    }
  }

  async #run(steps: readonly Step[]): Promise<void> {
    for (const [index, step] of [FIRST, ...steps].entries()) {
      this.#advance(step.tick);
      await this.#take(step);
      if (index % LOOK_EVERY === LOOK_EVERY - 1) await this.#look(index);
    }
    await this.#look(steps.length);
    // Nothing that a writer left behind outlives the sweep.
    this.#advance(11 * 60_000);
    await this.#take(stepOf({ do: "sweep" }));
    await checkEverything(this, this.#history, { thorough: true, seed: steps.length });
  }

  #look(seed: number): Promise<void> {
    return checkEverything(this, this.#history, { thorough: false, seed });
  }

  #advance(ms: number): void {
    this.engine.clock.time += ms;
    this.world.now = this.engine.clock.time;
  }

  async #take(step: Step): Promise<void> {
    const actor = ACTORS[step.by] as Actor;
    const command = this.#command(step.action, actor);
    const at = step.tick === 0 ? "" : `, ${step.tick} ms later`;
    this.log.push(`${step.by}${at}: ${command.told}`);
    const foretold = foretell(command.foretell);
    const once = step.twice ? { once: { id: `once-${++this.#requests}`, content: hashOf(this.#requests) } } : {};
    const caller: Caller = {
      actor: actor.name,
      subject: actor.name,
      token: actor.name,
      requestId: `request-${++this.#requests}`,
      grants: [{ ...EVERYTHING, role: roleOf(actor), rights: actor.mayReveal ? EXTRA_RIGHTS : [] }],
      ...once,
    };
    const result = await outcomeOf(() => command.perform(caller));
    this.log[this.log.length - 1] += ` ⇒ ${shown(result)}`;
    if (!isForetold(result, foretold)) {
      throw new Error(
        `The model foretells ${JSON.stringify(foretold, null, 1)}\nand the engine answers ${JSON.stringify(result, null, 1)}`,
      );
    }
    if (JSON.stringify(result).includes(MARK)) throw new Error(`The answer tells a secret: ${JSON.stringify(result)}`);
    await this.#lookAtNews();
    if ("result" in result) {
      command.learn?.(result.result);
      if (step.twice) await this.#repeat(command, caller, result);
    }
  }

  /** What has a new revision is looked at once, so that what went wrong is told of the command that did it. */
  async #lookAtNews(): Promise<void> {
    for (const environment of this.world.environments.values()) {
      const { number } = headOf(environment);
      if (this.#seen.get(environment.name) === number || this.world.isExpired(environment)) continue;
      this.#seen.set(environment.name, number);
      await checkStored(this, environment, undefined);
    }
  }

  /** A key that comes again gives the same answer, and changes nothing. */
  async #repeat(command: Command, caller: Caller, first: Outcome): Promise<void> {
    const again = await outcomeOf(() => command.perform({ ...caller, requestId: `request-${++this.#requests}` }));
    if (!same(again, first))
      throw new Error(`Repeated with its key, it answers ${JSON.stringify(again)}\ninstead of ${JSON.stringify(first)}`);
  }

  #command(step: Action, actor: Actor): Command {
    const { world, promotions } = this;
    const { domain } = this.engine;
    switch (step.do) {
      case "create":
        return this.#create(step, actor);
      case "edit":
        return this.#edit(step, actor);
      case "configure": {
        const { do: _, env: pick, label, ...patch } = step;
        const wish = { ...patch, env: this.#env(pick), version: label };
        return {
          told: tell("configure", wish),
          foretell: () => world.configure(actor, wish),
          perform: (caller) => domain.config.patch(caller, { ...wish, project: PROJECT, ifMatch: null }),
        };
      }
      case "promote":
        return this.#promote(this.#wishOf(step), actor);
      case "apply-plan": {
        const plan = this.#plan;
        if (plan === null) return nothing("there is no plan to apply");
        return this.#promote({ ...plan.wish, dryRun: false, basis: plan.basis }, actor, plan.planId);
      }
      case "approve":
      case "reject": {
        const open = promotions.all.filter(({ status }) => status === "pending");
        const { id = "0000000000none" } = picked(step.promotion, open, promotions.all) ?? {};
        const request = { project: PROJECT, id };
        return {
          told: `${step.do} promotion ${promotions.all.findIndex((one) => one.id === id) + 1}`,
          foretell: () => promotions[step.do](actor, id),
          perform: (caller) => domain.pending[step.do](caller, request),
        };
      }
      case "rollback": {
        const env = this.#env(step.env);
        const wish = { env, to: this.#named(env, step.to), keepSecrets: step.keepSecrets, dryRun: step.dryRun };
        const { keepSecrets, dryRun, ...request } = wish;
        return {
          told: tell("rollback", wish),
          foretell: () => world.rollback(actor, wish),
          perform: (caller) =>
            domain.versions.rollback(caller, {
              ...request,
              project: PROJECT,
              dry_run: dryRun,
              ...(keepSecrets && { secrets: "keep_current" as const }),
            }),
        };
      }
      case "hold":
      case "resume":
      case "archive": {
        const env = this.#env(step.env, step.do === "resume" ? ({ heldAt }) => heldAt !== null : undefined);
        return {
          told: `${step.do} ${env}`,
          foretell: () => world[step.do](actor, env),
          perform: (caller) => domain.environments[step.do](caller, { project: PROJECT, env }),
        };
      }
      case "extend":
      case "restore": {
        const env = this.#env(
          step.env,
          step.do === "restore" ? (one) => one.status === "archived" || world.isExpired(one) : ({ expiresAt }) => expiresAt !== null,
        );
        return {
          told: `${step.do} ${env}${step.expires === undefined ? "" : ` for ${step.expires}`}`,
          foretell: () => world[step.do](actor, env, step.expires),
          perform: (caller) => domain.previews[step.do](caller, { project: PROJECT, env, expires_in: step.expires }),
        };
      }
      case "report":
        return this.#report(step, actor);
      case "govern": {
        const policy: Policy = {
          ...(step.pipeline && { pipeline: ["dev", "staging", "prod"].filter((env) => world.environments.has(env)) }),
          environments: step.environments,
        };
        return {
          told: tell("govern", policy as JsonObject),
          foretell: () => world.govern(actor, policy),
          perform: (caller) => domain.policies.replace(caller, PROJECT, policy as unknown as Json, null),
        };
      }
      case "compare": {
        const left = this.#side(step.left, step.leftAt);
        const right = this.#otherSide(actor, left, this.#side(step.right, step.rightAt));
        return {
          told: `compare ${left} with ${right}`,
          foretell: () => compared(world, actor, left, right),
          perform: async (caller) => {
            const read = await domain.comparison.compare(caller, PROJECT, left, right, { bodies: true });
            const result = await jsonOf<Compared>(read.pieces());
            return { ...result, left_at: { ...result.left, snapshot: undefined }, right_at: { ...result.right, snapshot: undefined } };
          },
        };
      }
      default:
        return this.#passTime(step);
    }
  }

  /** Time, and what the engine does by itself. */
  #passTime(step: Extract<Action, { do: "wait" | "wait-for" | "due" | "sweep" | "collect" | "reopen" }>): Command {
    const { world } = this;
    const engine = this.engine;
    switch (step.do) {
      case "wait":
        return this.#wait(step.ms);
      case "wait-for": {
        const ends =
          step.what === "promotion"
            ? this.promotions.all.filter(({ status }) => status === "pending").map(({ expiresAt }) => expiresAt)
            : [...world.environments.values()]
                .filter(({ expiresAt }) => expiresAt !== null)
                .map((environment) => (step.what === "grace" ? world.graceEnd(environment) : (environment.expiresAt ?? 0)));
        const next = ends.filter((end) => end + step.over > world.now);
        return this.#wait((next[step.of % Math.max(1, next.length)] ?? world.now) + step.over - world.now);
      }
      case "due":
        return { told: "what is due", foretell: () => ({}), perform: () => this.#runDue() };
      case "sweep":
        return {
          told: "sweep",
          foretell: () => {
            world.sweep();
            return {};
          },
          perform: async () => void (await engine.domain.sweeper.sweep()),
        };
      case "collect":
        return {
          told: "collect garbage",
          foretell: () => {
            world.collect();
            return {};
          },
          perform: async () => void (await engine.domain.garbage.collectNow(PROJECT)),
        };
      case "reopen":
        return { told: "restart", foretell: () => ({}), perform: () => engine.reopen() };
    }
  }

  #wait(ms: number): Command {
    return { told: `wait ${ms} ms`, foretell: () => ({}), perform: async () => this.#advance(ms) };
  }

  /** Timers are hints: the model is told which there are, and `checkEverything` that none is missing. */
  async #runDue(): Promise<void> {
    const { engine, world, promotions } = this;
    const hints = (await documents(engine.store, SYSTEM_PARTITION, systemKeys.duePrefix)).map(
      ({ key, value }) => ({ key, what: (value as { what: string }).what }) as const,
    );
    const due = hints.filter(({ key }) => key.slice(systemKeys.duePrefix.length) < (iso(world.now + 1) ?? ""));
    for (const { what } of due) {
      const [kind, name = ""] = what.split(":");
      if (kind === "env") world.expire(name);
      else if (kind === "promotion") promotions.settle(name);
      else promotions.promoteAutomatically(name);
    }
    await engine.domain.sweeper.runDue();
    const left = await documents(engine.store, SYSTEM_PARTITION, `${systemKeys.duePrefix}`);
    if (left.some(({ key }) => key.slice(systemKeys.duePrefix.length) < (iso(world.now + 1) ?? "")))
      throw new Error("Something due was left.");
    await this.#learnIds();
  }

  /** Promotions that nobody asked for by hand: the engine names them. */
  async #learnIds(): Promise<void> {
    const { items } = await this.engine.domain.pending.list(READER, PROJECT, { limit: 1_000, cursor: null });
    const known = new Set(this.promotions.all.map(({ id }) => id));
    for (const pending of this.promotions.all.filter(({ id }) => id === "")) {
      const found = items.find(
        ({ id, source_env, target_env, source_revision, target_revision }) =>
          !known.has(id) &&
          source_env === pending.order.source &&
          target_env === pending.order.target &&
          source_revision === pending.sourceRevision &&
          target_revision === pending.targetRevision,
      );
      if (found === undefined) throw new Error(`The engine put up no promotion from ${pending.order.source} to ${pending.order.target}.`);
      pending.id = found.id;
      known.add(found.id);
    }
  }

  #create(step: Extract<Action, { do: "create" }>, actor: Actor): Command {
    const { world } = this;
    const { do: _, base: pick, expires, version: given, ...rest } = step;
    const names = [...world.environments.keys()];
    const base = pick === null || names.length === 0 ? null : pick % 25 === 24 ? this.#missing() : (names[pick % names.length] ?? null);
    const named = typeof given === "object" && !world.environments.has(base ?? "") ? undefined : given;
    const version = typeof named === "object" ? this.#named(base ?? "", named) : named;
    const wish = { ...rest, base, expires_in: expires, version };
    return {
      told: tell("create", wish),
      foretell: () => world.create(actor, wish),
      perform: (caller) => this.engine.domain.creation.create(caller, { ...wish, project: PROJECT }),
    };
  }

  #edit(step: Extract<Action, { do: "edit" }>, actor: Actor): Command {
    const { world } = this;
    const env = this.#env(step.env);
    const environment = world.environments.get(env);
    const names = [...Object.keys(environment === undefined ? {} : headOf(environment).platform), "flows/absent"];
    const remove = [...new Set(step.remove.map((pick) => names[pick % names.length] ?? ""))].filter(
      (name) => !Object.hasOwn(step.set, name),
    );
    const labels = { version: step.label, bump: step.bump };
    const wish = { ...labels, env, set: step.set, remove, whole: step.whole };
    const about = { ...labels, project: PROJECT, env, ifMatch: null };
    return {
      told: tell(step.whole ? "replace" : "edit", wish),
      foretell: () => world.edit(actor, wish),
      perform: (caller) =>
        step.whole
          ? this.engine.domain.state.replace(caller, { ...about, state: nested(step.set) })
          : this.engine.domain.state.patch(caller, { ...about, set: step.set, remove }),
    };
  }

  #wishOf(step: PromoteStep): Wish {
    const { do: _, from, to, version, resolve, ...rest } = step;
    const source = this.#env(from);
    const all = [...this.world.environments.values()];
    const others = all.filter(({ name }) => name !== source);
    const governed = others.filter((environment) => approvalRule(this.world.rules(environment)).count > 0);
    // Where it can be, the one that the same pick means elsewhere.
    const likely = to % 3 === 0 ? governed : others.filter((environment) => environment === all[to % all.length]);
    const target = to % 20 === 19 ? source : (picked(to, likely, others)?.name ?? this.#missing());
    const named = version === undefined ? undefined : this.#named(source, version);
    const config = this.#configOf(source);
    const known = (names: readonly string[] | undefined, kind: "vars" | "flags") =>
      to % 10 === 9 ? names : names?.filter((name) => Object.hasOwn(config?.[kind] ?? {}, name));
    const order = { ...rest, flags: known(rest.flags, "flags"), vars: known(rest.vars, "vars"), source, target, version: named };
    return resolve === undefined ? order : { ...order, resolve: this.#resolutions(order, resolve) };
  }

  #configOf(env: string): Config | undefined {
    const environment = this.world.environments.get(env);
    return environment && headOf(environment).config;
  }

  #resolutions(order: Order, how: NonNullable<PromoteStep["resolve"]>): Readonly<Record<string, Json>> {
    if (how === "none-there") return { "flows/no-such": "ours" };
    const found = foretell(() => ({
      conflicts: this.promotions.plan(order, { vars: {}, secrets: {} }, { automatic: false, approvedBy: [], force: undefined }).conflicts,
    }));
    const conflicts = "result" in found ? (found.result["conflicts"] as readonly string[]) : [];
    const settled = how === "all-but-one" ? conflicts.slice(1) : conflicts;
    return Object.fromEntries(settled.map((name) => [name, how === "body" ? { a: 7 } : how === "ours" ? "ours" : "theirs"]));
  }

  #promote(wish: Wish, actor: Actor, planId?: string): Command {
    const { force, dryRun, basis, deployedAt: _, ...order } = wish;
    const reason = "it cannot wait";
    const request: PromoteRequest = {
      ...order,
      project: PROJECT,
      dry_run: dryRun,
      ...(planId !== undefined && { plan_id: planId }),
      ...(force !== undefined && { force: force === "all" ? { reason } : { checks: force, reason } }),
    };
    return {
      told: `${tell(basis === undefined ? "promote" : "apply the last plan", { ...order, ...(force && { force }) } as JsonObject)}${dryRun ? ", dry run" : ""}`,
      foretell: () => this.promotions.promote(actor, wish),
      perform: (caller) => this.engine.domain.promotions.promote(caller, request),
      learn: (result) => {
        const newest = this.promotions.all.at(-1);
        if (newest?.id === "") newest.id = String(result["promotion_id"]);
        if (dryRun) this.#plan = { wish, request, basis: this.#basisOf(wish), planId: String(result["plan_id"]) };
      },
    };
  }

  #basisOf(order: Order): string {
    return this.promotions.plan(order, { vars: {}, secrets: {} }, { automatic: false, approvedBy: [], force: undefined }).basis;
  }

  #report(step: Extract<Action, { do: "report" }>, actor: Actor): Command {
    const { world } = this;
    const followed = new Set([...world.environments.values()].map((environment) => world.autoSource(environment)));
    const env = this.#env(step.env, ({ name }) => followed.has(name));
    const revisions = world.environments.get(env)?.revisions ?? [];
    const head = revisions.length - 1;
    const chosen = revisions[step.how === "head" ? head : step.of % Math.max(1, revisions.length)];
    const version = step.how === "mismatch" ? "v88.0.0" : (chosen?.version ?? "v0.1.0");
    const wish = { env, version, revision: step.how === "version" ? undefined : (chosen?.number ?? 1), status: step.status };
    return {
      told: tell("report", wish),
      foretell: () => world.report(actor, wish),
      perform: (caller) => this.engine.domain.deployments.report(caller, { ...wish, project: PROJECT }),
    };
  }

  #env(pick: number, likely: (environment: Environment) => boolean = () => true): string {
    const all = [...this.world.environments.values()];
    return pick % 50 === 49 ? this.#missing() : (picked(pick, all.filter(likely), all)?.name ?? ENVIRONMENTS[0]);
  }

  /** Where both sides are refused, which of them is told is left to the engine: then they are the same. */
  #otherSide(actor: Actor, left: string, right: string): string {
    const isRefused = (side: string) => "code" in foretell(() => compared(this.world, actor, side, side));
    return isRefused(left) && isRefused(right) ? left : right;
  }

  /** An environment that there is not, or not yet. */
  #missing(): string {
    return ENVIRONMENTS.find((env) => !this.world.environments.has(env)) ?? "ghost";
  }

  #side(pick: number, at: Naming | undefined): string {
    const env = this.#env(pick);
    return at === undefined ? env : `${env}@${this.#named(env, at)}`;
  }

  #named(env: string, { by, of }: Naming): string {
    const environment: Environment | undefined = this.world.environments.get(env);
    const revisions = environment?.revisions ?? [];
    const revision = revisions[of % Math.max(1, revisions.length)];
    if (revision === undefined || by === "unknown" || (by === "back" && of >= revisions.length)) return "v99.1.2";
    switch (by) {
      case "revision":
        return String(1 + (of % (revisions.length + 1)));
      case "back":
        return String(revisions.length - of);
      case "label":
        return revision.version;
      case "minor":
        return revision.version.replace(/\.\d+$/, "");
      case "major":
        return revision.version.replace(/\..*$/, "");
      case "time":
        return iso(revision.at) ?? "";
      case "before-all":
        return iso((revisions[0]?.at ?? 0) - 1) ?? "";
    }
  }
}

/** Mostly one of the likely ones, where there are any. */
function picked<Item>(pick: number, likely: readonly Item[], all: readonly Item[]): Item | undefined {
  const list = likely.length === 0 || pick % 7 === 6 ? all : likely;
  return list[pick % Math.max(1, list.length)];
}

type Outcome = { readonly result: Record<string, unknown> } | { readonly code: string; readonly about: unknown };

function foretell(predict: () => Expected): Outcome {
  try {
    return { result: plain(predict()) as Record<string, unknown> };
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, about: plain(error.about) };
    throw error;
  }
}

async function outcomeOf(perform: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { result: comparable(await perform()) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // The reason and the fix are looked at for secrets alone.
    return { code: error.code, about: { ...comparable(error.details), reason: error.message, fix: error.fix } };
  }
}

/** Checks by name, and conflicts by component: what the model tells of them. */
function comparable(result: unknown): Record<string, unknown> {
  const members = (plain(result ?? {}) ?? {}) as Record<string, unknown>;
  const checks = members["checks"] as readonly { name: string; status: string }[] | undefined;
  const conflicts = members["conflicts"] as readonly { component: string }[] | undefined;
  return {
    ...members,
    ...(Array.isArray(checks) && { checks: Object.fromEntries(checks.map(({ name, status }) => [name, status])) }),
    ...(Array.isArray(conflicts) && { conflicts: conflicts.map(({ component }) => component) }),
  };
}

/** Only what the model tells of is compared. */
function isForetold(outcome: Outcome, foretold: Outcome): boolean {
  if ("result" in outcome !== "result" in foretold) return false;
  if ("result" in outcome && "result" in foretold) {
    return Object.entries(foretold.result).every(([name, value]) => same(outcome.result[name], value));
  }
  if (!("code" in outcome && "code" in foretold) || outcome.code !== foretold.code) return false;
  return Object.entries(foretold.about as object).every(([name, value]) => same((outcome.about as Record<string, unknown>)[name], value));
}

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function shown(outcome: Outcome): string {
  if ("code" in outcome) return outcome.code;
  const { status, version, linked_version, revision } = outcome.result;
  return [status, version ?? linked_version, revision === undefined ? undefined : `@${revision}`].filter(Boolean).join(" ") || "done";
}

function tell(what: string, wish: object): string {
  const said = Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined));
  return `${what} ${JSON.stringify(said)}`;
}

function nothing(told: string): Command {
  return { told, foretell: () => ({}), perform: async () => undefined };
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(String(value)).digest("hex");
}

function nested(components: Readonly<Record<string, Json>>): Record<string, Record<string, Json>> {
  const state: Record<string, Record<string, Json>> = {};
  for (const [name, body] of Object.entries(components)) {
    const slash = name.indexOf("/");
    state[name.slice(0, slash)] = { ...state[name.slice(0, slash)], [name.slice(slash + 1)]: body };
  }
  return state;
}
