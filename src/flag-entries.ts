import { evaluatorRule, flagDefinition, metadataValue } from "./flags.ts";
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

/** The entries that a request sets, each checked by itself. What a rule refers to is checked by `checkReferences`. */
export function flagEntries({ flags = {}, evaluators = {}, flag_metadata = {} }: FlagEdits): [string, Json][] {
  return [
    ...Object.entries(flags).map(([name, value]): [string, Json] => [FLAGS + name, flagDefinition(name, value, null)]),
    ...Object.entries(evaluators).map(([name, value]): [string, Json] => [EVALUATORS + name, evaluatorRule(name, value)]),
    ...Object.entries(flag_metadata).map(([name, value]): [string, Json] => [FLAG_METADATA + name, metadataValue(name, value)]),
  ];
}

/**
 * Refuses edits that leave a rule without what it refers to. Where only flags change, the evaluators are read; where
 * evaluators do, every flag is looked at.
 * @throws invalid_flag
 */
export async function checkReferences(maps: Maps, config: Hash, edits: ReadonlyMap<string, Json | undefined>): Promise<void> {
  const touched = [...edits].filter(([entry]) => entry.startsWith(EVALUATORS));
  const changed = [...edits].filter(([entry, value]) => entry.startsWith(FLAGS) && value !== undefined && refers(value));
  if (touched.length === 0 && changed.length === 0) return;
  const evaluators: Record<string, Json> = { ...(await membersOf(maps, config, EVALUATORS)) };
  for (const [entry, rule] of touched) {
    const name = entry.slice(EVALUATORS.length);
    if (rule === undefined) delete evaluators[name];
    else evaluators[name] = rule;
  }
  const others = touched.length === 0 ? {} : await membersOf(maps, config, FLAGS);
  const kept = Object.entries(others).filter(([name, value]) => !edits.has(FLAGS + name) && refers(value));
  for (const [name, value] of kept) flagDefinition(name, value, evaluators);
  for (const [entry, value] of changed) flagDefinition(entry.slice(FLAGS.length), value ?? null, evaluators);
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

function refers(value: Json): boolean {
  return referencesOf(value).size > 0;
}
