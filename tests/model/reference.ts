import { isDeepStrictEqual } from "node:util";
import type { ErrorCode } from "../../src/errors.ts";
import type { Bump, EnvironmentStatus, EnvironmentType, RevisionAction, SyncStatus, VariableInput } from "../../src/model.ts";
import type { EnvironmentPolicy, Policy } from "../../src/policy.ts";
import type { Json } from "../../src/ports.ts";

/** The words of the reference model: plain maps and lists, no hashes, no trees, no lineage. Pure functions on them. */

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** `collection/name` → body. */
export type Components = Readonly<Record<string, Json>>;

/** One value of one secret. Every write makes a new one, so that two configs are equal only if they hold the same ones. */
export interface Secret {
  readonly id: number;
  readonly value: string;
  readonly copied: boolean;
  readonly boundAt: number;
  /** The vault gave it up. */
  gone: boolean;
}

export interface Config {
  readonly vars: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, Json>>;
  readonly secrets: Readonly<Record<string, Secret>>;
}

export interface Revision {
  readonly env: string;
  readonly number: number;
  readonly platform: Components;
  readonly config: Config;
  readonly version: string;
  readonly action: RevisionAction;
  readonly by: string;
  readonly at: number;
  readonly parents: readonly Revision[];
  readonly sourceVersion: string | null;
}

export interface Report {
  readonly status: "deploying" | "deployed" | "failed";
  readonly revision: Revision;
  readonly at: number;
}

export interface Environment {
  readonly name: string;
  readonly type: EnvironmentType;
  readonly revisions: Revision[];
  status: EnvironmentStatus;
  base: string | null;
  heldAt: number | null;
  expiresAt: number | null;
  /** Its secrets were given up: it cannot be brought back. */
  cleared: boolean;
  deployment: Report | null;
  deployed: Report | null;
}

/** What the model expects to be refused. */
export class Refusal extends Error {
  readonly code: ErrorCode;
  readonly about: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, about: Readonly<Record<string, unknown>> = {}) {
    super(code);
    this.code = code;
    this.about = about;
  }
}

export function refuse(code: ErrorCode): never {
  throw new Refusal(code);
}

export const same = (left: unknown, right: unknown): boolean => isDeepStrictEqual(left, right);

export function headOf(environment: Environment): Revision {
  return environment.revisions.at(-1) as Revision;
}

/** Everything between two maps, by name. */
export interface Change {
  readonly name: string;
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

export function changesBetween(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): Change[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .filter((name) => !same(before[name], after[name]))
    .map((name) => ({ name, before: before[name] as Json | undefined, after: after[name] as Json | undefined }));
}

/** With `undefined` standing for removal. */
export function edited<Value>(
  map: Readonly<Record<string, Value>>,
  edits: Readonly<Record<string, Value | undefined>>,
): Record<string, Value> {
  const entries = Object.entries({ ...map, ...edits }).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}

export interface Requirement {
  readonly name: string;
  readonly kind: "var" | "secret" | "flag";
  readonly default: Json | undefined;
}

export function requirementOf(component: string, body: Json): Requirement {
  const { kind, default: fallback } = body as { kind: Requirement["kind"]; default?: Json };
  return { name: component.slice("requires/".length), kind, default: fallback };
}

export function requirementsOf(platform: Components): Requirement[] {
  return Object.entries(platform).flatMap(([name, body]) => (name.startsWith("requires/") ? [requirementOf(name, body)] : []));
}

/** A platform may come to hold what nobody wrote: by a merge, or by a resolution. */
export function checkComponent(name: string, body: Json): void {
  if (!name.startsWith("requires/")) return;
  const { kind, default: fallback } = (typeof body === "object" && body !== null ? body : {}) as { kind?: Json; default?: Json };
  if (kind !== "var" && kind !== "secret" && kind !== "flag") refuse("invalid_request");
  if (kind === "secret" && fallback !== undefined) refuse("invalid_request");
  if (kind === "flag" && fallback !== undefined && typeof fallback !== "boolean") refuse("invalid_flag");
}

export function isBound({ name, kind }: Requirement, config: Config): boolean {
  return Object.hasOwn(config[`${kind}s`], name);
}

export function unboundIn(platform: Components, config: Config): Requirement[] {
  return requirementsOf(platform).filter((requirement) => requirement.default === undefined && !isBound(requirement, config));
}

export function newlyRequired(changes: readonly Change[]): Requirement[] {
  return changes.flatMap(({ name, before, after }) => {
    if (!name.startsWith("requires/") || after === undefined) return [];
    const now = requirementOf(name, after);
    const old = before === undefined ? null : requirementOf(name, before);
    return now.default === undefined && !(old?.kind === now.kind && old.default === undefined) ? [now] : [];
  });
}

export function bumpOf(changes: readonly Change[]): Bump {
  if (changes.length === 0) return "patch";
  return changes.some(({ after }) => after === undefined) || newlyRequired(changes).length > 0 ? "major" : "minor";
}

export function flagOf(input: Json): Json {
  if (typeof input !== "boolean") return input;
  return { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: input ? "on" : "off" };
}

/** The names that steps use and whose words make a bare string a secret. */
const SECRETIVE = new Set(["API_KEY", "DB_PASSWORD"]);

export function sortVariables(input: Readonly<Record<string, VariableInput>>, isSecret: (name: string) => boolean) {
  const vars: Record<string, string> = {};
  const secrets: Record<string, string> = {};
  for (const [name, given] of Object.entries(input)) {
    const { value, secret = null } = typeof given === "string" ? { value: given } : given;
    if (secret === false && isSecret(name)) refuse("secret_stays_secret");
    if (secret ?? (isSecret(name) || SECRETIVE.has(name))) secrets[name] = value;
    else vars[name] = value;
  }
  return { vars, secrets };
}

/** One whole number and one unit. */
export function milliseconds(duration: string): number {
  const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: HOUR, d: DAY };
  return Number(duration.slice(0, -1)) * (units[duration.slice(-1)] ?? 0);
}

/** Where nobody said: what the name says, or that it ends. */
export function typeOf(env: string, ends: boolean): EnvironmentType {
  const types: Readonly<Record<string, EnvironmentType>> = { dev: "development", staging: "staging", prod: "production", pr: "preview" };
  return types[env.split("-")[0] ?? ""] ?? (ends ? "preview" : "custom");
}

export function numbersOf(label: string): number[] {
  return label.slice(1).split(".").map(Number);
}

export function bumped(label: string, bump: Bump): string {
  const [major = 0, minor = 0, patch = 0] = numbersOf(label);
  if (bump === "major") return `v${major + 1}.0.0`;
  return bump === "minor" ? `v${major}.${minor + 1}.0` : `v${major}.${minor}.${patch + 1}`;
}

/** Every ancestor, by walking all parents; a revision is one of its own. */
export function ancestorsOf(revision: Revision): Set<Revision> {
  const found = new Set([revision]);
  for (const one of found) for (const parent of one.parents) found.add(parent);
  return found;
}

/** The newest of the common ancestors that no other common one descends from; of one moment, that of the last name. */
export function mergeBaseOf(left: Revision, right: Revision): Revision | null {
  const ofRight = ancestorsOf(right);
  const common = [...ancestorsOf(left)].filter((one) => ofRight.has(one));
  const last = common.filter((one) => !common.some((other) => other !== one && ancestorsOf(other).has(one)));
  const byAge = last.sort((a, b) => a.at - b.at || (a.env < b.env ? -1 : a.env > b.env ? 1 : a.number - b.number));
  return byAge.at(-1) ?? null;
}

/** `undefined` for absent, as in the engine; arrays are opaque here. */
export function mergeBodies(
  base: Json | undefined,
  ours: Json | undefined,
  theirs: Json | undefined,
): { body: Json | undefined; conflict: boolean } {
  if (same(ours, theirs) || same(theirs, base)) return { body: ours, conflict: false };
  if (same(ours, base)) return { body: theirs, conflict: false };
  const [b, o, t] = [base === undefined ? {} : membersOf(base), membersOf(ours), membersOf(theirs)];
  if (b === null || o === null || t === null) return { body: ours, conflict: true };
  const names = [...new Set([...Object.keys(o), ...Object.keys(t)])];
  const members = names.map((name) => [name, mergeBodies(b[name], o[name], t[name])] as const);
  return {
    body: edited<Json>({}, Object.fromEntries(members.map(([name, { body }]) => [name, body]))),
    conflict: members.some(([, { conflict }]) => conflict),
  };
}

function membersOf(body: Json | undefined): Readonly<Record<string, Json>> | null {
  return typeof body === "object" && body !== null && !Array.isArray(body) ? (body as Readonly<Record<string, Json>>) : null;
}

export function rulesFor(policy: Policy, { name, type }: Pick<Environment, "name" | "type">): EnvironmentPolicy {
  return { ...policy.environments?.[`type:${type}`], ...policy.environments?.[name] };
}

export function approvalRule({ approvals = 0 }: EnvironmentPolicy): { count: number; by: readonly string[] | null; lifetime: number } {
  const rule = typeof approvals === "number" ? { count: approvals } : approvals;
  return { count: rule.count, by: rule.by ?? null, lifetime: milliseconds(rule.expires_in ?? "7d") };
}

/** Steps use windows that start every day at a whole hour, UTC, and end on the same day. */
export function isFrozen({ freeze = [] }: EnvironmentPolicy, now: number): boolean {
  const inside = freeze.map(({ kind, cron, duration }) => {
    const sinceMidnight = now % DAY;
    const start = Number(cron.split(" ")[1]) * HOUR;
    return { kind, open: sinceMidnight >= start && sinceMidnight < start + milliseconds(duration) };
  });
  if (inside.some(({ kind, open }) => kind === "deny" && open)) return true;
  const allowed = inside.filter(({ kind }) => kind === "allow");
  return allowed.length > 0 && !allowed.some(({ open }) => open);
}

/** The longest run of revisions with one platform, the present one going on. */
export function longestStay({ revisions }: Environment, platform: Components, now: number): number {
  let longest = 0;
  let since: number | null = null;
  for (const revision of revisions) {
    const stays = same(revision.platform, platform);
    if (since !== null && !stays) longest = Math.max(longest, revision.at - since);
    since = stays ? (since ?? revision.at) : null;
  }
  return since === null ? longest : Math.max(longest, now - since);
}

export function syncStatusOf(environment: Environment): SyncStatus {
  const head = headOf(environment);
  const showsHead = ({ revision }: Report) => same(revision.platform, head.platform) && same(revision.config, head.config);
  const { deployment, deployed } = environment;
  if (deployment === null) return "never_deployed";
  if (deployment.status === "deploying") return "deploying";
  if (deployment.status === "failed" && showsHead(deployment)) return "failed";
  return deployed !== null && showsHead(deployed) ? "in_sync" : "ready_for_deploy";
}
