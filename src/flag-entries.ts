import { definitionSteps } from "./flagd/definition.ts";
import { checkSteps, evaluatorRule, flagDefinition, metadataValue } from "./flags.ts";
import { isObject } from "./json.ts";
import { LIMITS } from "./limits.ts";
import type { Hash, Json, JsonObject } from "./ports.ts";
import type { Maps } from "./snapshots.ts";

/**
 * Where a config keeps its flags, and what they share: `flags/<name>`, `evaluators/<name>` (flagd's `$evaluators`) and
 * `flag_metadata/<name>` (the metadata of flagd's flag set).
 */
export const FLAGS = "flags/";
export const EVALUATORS = "evaluators/";
export const FLAG_METADATA = "flag_metadata/";

/** What a request sets, each by name. */
export interface FlagEdits {
  readonly flags?: JsonObject | undefined;
  readonly evaluators?: JsonObject | undefined;
  readonly flag_metadata?: JsonObject | undefined;
}

/** The entries that a request sets, each checked by itself. What they are together is checked by `checkFlags`. */
export function flagEntries({ flags = {}, evaluators = {}, flag_metadata = {} }: FlagEdits): [string, Json][] {
  return [
    ...Object.entries(flags).map(([name, value]): [string, Json] => [FLAGS + name, flagDefinition(name, value, null)]),
    ...Object.entries(evaluators).map(([name, value]): [string, Json] => [EVALUATORS + name, evaluatorRule(name, value)]),
    ...Object.entries(flag_metadata).map(([name, value]): [string, Json] => [FLAG_METADATA + name, metadataValue(name, value)]),
  ];
}

/**
 * Refuses edits that leave a rule without what it refers to, or flags that take too long together. Where evaluators change, every flag is
 * looked at; where flags do, the others are for the sake of a rule that is not simple.
 * @throws invalid_flag
 */
export async function checkFlags(maps: Maps, config: Hash, edits: ReadonlyMap<string, Json | undefined>): Promise<void> {
  const touched: [string, Json | undefined][] = [];
  const changed: [string, Json][] = [];
  for (const [entry, value] of edits) {
    if (entry.startsWith(EVALUATORS)) touched.push([entry, value]);
    else if (entry.startsWith(FLAGS) && value !== undefined && hasRule(value)) changed.push([entry.slice(FLAGS.length), value]);
  }
  if (touched.length === 0 && changed.length === 0) return;
  const evaluators = await evaluatorsAfter(maps, config, touched);
  checkReferences(changed, evaluators);
  const isSimple = changed.every(([, value]) => definitionSteps(value, evaluators) <= LIMITS.simpleSteps);
  if (touched.length === 0 && isSimple) return;
  const kept = Object.entries(await membersOf(maps, config, FLAGS)).filter(([name, value]) => !edits.has(FLAGS + name) && hasRule(value));
  if (touched.length > 0) checkReferences(kept, evaluators);
  checkSteps([...changed, ...kept], evaluators);
}

async function evaluatorsAfter(maps: Maps, config: Hash, touched: readonly [string, Json | undefined][]): Promise<JsonObject> {
  const evaluators: Record<string, Json> = { ...(await membersOf(maps, config, EVALUATORS)) };
  for (const [entry, rule] of touched) {
    const name = entry.slice(EVALUATORS.length);
    if (rule === undefined) delete evaluators[name];
    else evaluators[name] = rule;
  }
  return evaluators;
}

function checkReferences(flags: readonly [string, Json][], evaluators: JsonObject): void {
  for (const [name, value] of flags) if (referencesOf(value).size > 0) flagDefinition(name, value, evaluators);
}

/** All entries of one kind, by name. */
export async function membersOf(maps: Maps, config: Hash, prefix: string): Promise<JsonObject> {
  const entries = await maps.entries(config, { prefix, limit: LIMITS.configEntries });
  return Object.fromEntries(entries.map(({ key, value }) => [key.slice(prefix.length), value]));
}

/** The names of the evaluators that a flag's rule refers to. */
export function referencesOf(value: Json): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (piece: Json) => {
    if (Array.isArray(piece)) {
      for (const item of piece) visit(item);
    } else if (isObject(piece)) {
      const { $ref } = piece;
      if (typeof $ref === "string") found.add($ref);
      for (const item of Object.values(piece)) visit(item);
    }
  };
  visit(isObject(value) ? (value["targeting"] ?? null) : null);
  return found;
}

function hasRule(value: Json): boolean {
  return isObject(value) && value["targeting"] !== undefined;
}
