import type { ReplyOf } from "./types.ts";

type Config = ReplyOf<"getConfig">;

/** One revision's config, as it was read: never a mixture of two, and frozen in all its parts. */
export interface Copy {
  readonly version: string;
  readonly revision: number;
  /** With the platform's defaults for those that the environment does not bind. */
  readonly vars: Readonly<Record<string, string>>;
  /** Which secrets are set. */
  readonly secretNames: readonly string[];
  /** Their values, where the connection asks for them; empty otherwise. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Flag definitions, as flagd has them, with the platform's defaults. */
  readonly flags: Config["flags"];
  /** Rules that flags refer to by `{"$ref": name}`. */
  readonly evaluators: NonNullable<Config["evaluators"]>;
  /** Metadata of all flags together. */
  readonly flagMetadata: NonNullable<Config["flag_metadata"]>;
  /** The engine's tag of this read. */
  readonly etag: string | null;
}

/** What a new revision brought, by name. All lists are empty where the platform alone changed. */
export interface Change {
  readonly version: string;
  readonly revision: number;
  /** The revision before, of this connection; `null` where there was none. */
  readonly previous: number | null;
  readonly vars: readonly string[];
  /** Set and unset ones; replaced ones too where the connection reads values. */
  readonly secrets: readonly string[];
  /** Those that an evaluator or metadata which they share changed, too. */
  readonly flags: readonly string[];
}

export function copyOf(config: Config, secrets: Readonly<Record<string, string>>, etag: string | null): Copy {
  const { version, revision, defaults, evaluators = {}, flag_metadata: flagMetadata = {} } = config;
  const vars = { ...defaults?.vars, ...config.vars };
  const flags = { ...defaults?.flags, ...config.flags };
  const secretNames = Object.keys(config.secrets);
  return frozen({ version, revision, vars, secretNames, secrets: { ...secrets }, flags, evaluators, flagMetadata, etag });
}

/** What one part of a program did to it, all others would read. */
function frozen<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  for (const member of Object.values(value)) frozen(member);
  return Object.freeze(value);
}

/** Whether there is anything to tell: behind a proxy that takes tags away, a copy may be read again that is known. */
export function isNews(before: Copy, { version, revision, vars, secrets, flags }: Change): boolean {
  return revision !== before.revision || version !== before.version || vars.length + secrets.length + flags.length > 0;
}

export function changeBetween(before: Copy | null, after: Copy): Change {
  const named = (copy: Copy | null) => Object.fromEntries((copy?.secretNames ?? []).map((name) => [name, copy?.secrets[name] ?? null]));
  return Object.freeze({
    version: after.version,
    revision: after.revision,
    previous: before?.revision ?? null,
    vars: changed(before?.vars ?? {}, after.vars),
    secrets: changed(named(before), named(after)),
    flags: changedFlags(before, after),
  });
}

function changedFlags(before: Copy | null, after: Copy): readonly string[] {
  if (before === null) return changed({}, after.flags);
  if (!same(before.flagMetadata, after.flagMetadata)) return Object.freeze(Object.keys({ ...before.flags, ...after.flags }).sort());
  const rules = changed(before.evaluators, after.evaluators).map((name) => `"$ref":${JSON.stringify(name)}`);
  const refers = (name: string) => rules.some((rule) => JSON.stringify(own(after.flags, name)).includes(rule));
  const themselves = changed(before.flags, after.flags);
  if (rules.length === 0) return themselves;
  return Object.freeze([...new Set([...themselves, ...Object.keys(after.flags).filter(refers)])].sort());
}

/** Names whose value is not the same on both sides, in order. */
function changed(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return Object.freeze([...names].filter((name) => !same(own(before, name), own(after, name))).sort());
}

/** The engine writes a value always the same way, so that two are equal where their texts are. */
function same(left: unknown, right: unknown): boolean {
  return left === right || (typeof left === "object" && typeof right === "object" && JSON.stringify(left) === JSON.stringify(right));
}

export function own<Value>(members: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}
