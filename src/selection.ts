import { AppError } from "./errors.ts";
import { isObject } from "./json.ts";
import type { EntryChange } from "./merkle/index.ts";
import { quoted } from "./names.ts";
import type { Hash, Json } from "./ports.ts";
import { boundAt, parseRequirement, REQUIRES } from "./requirements.ts";
import { turn } from "./scan.ts";
import type { Maps } from "./snapshots.ts";

/** Which components a selective promotion carries. A pattern is a component's name, or a beginning of one before `*`. */
interface Selection {
  readonly only?: readonly string[] | undefined;
  readonly except?: readonly string[] | undefined;
}

export function isSelective({ only, except }: Selection): boolean {
  return only !== undefined || except !== undefined;
}

/**
 * The chosen ones of the differences between target and source.
 * @throws invalid_request for a pattern that matches no component on either side: it is a slip of the pen
 */
export async function select(
  maps: Maps,
  sides: readonly Hash[],
  changes: readonly EntryChange[],
  { only, except }: Selection,
): Promise<EntryChange[]> {
  for (const pattern of [...(only ?? []), ...(except ?? [])]) {
    if (await matchesAny(maps, sides, pattern)) continue;
    throw new AppError("invalid_request", {
      reason: `${quoted(pattern)} matches no component of source or target.`,
      fix: "Name components as `collection/name`, or all of a kind as `collection/*`.",
    });
  }
  const [isWanted, isLeftOut] = [only === undefined ? () => true : matcher(only), matcher(except ?? [])];
  return changes.filter(({ key }) => isWanted(key) && !isLeftOut(key));
}

/** Whether one of the patterns matches a name, without holding the name against each of them. */
function matcher(patterns: readonly string[]): (key: string) => boolean {
  const names = new Set<string>();
  const beginnings = new Map<number, Set<string>>();
  for (const pattern of patterns) {
    if (!pattern.endsWith("*")) names.add(pattern);
    else beginnings.set(pattern.length - 1, (beginnings.get(pattern.length - 1) ?? new Set()).add(pattern.slice(0, -1)));
  }
  return (key) => names.has(key) || [...beginnings].some(([length, texts]) => texts.has(key.slice(0, length)));
}

async function matchesAny(maps: Maps, sides: readonly Hash[], pattern: string): Promise<boolean> {
  for (const root of sides) {
    const found = pattern.endsWith("*") ? (await maps.count(root, pattern.slice(0, -1))) > 0 : (await maps.has(root, [pattern]))[0];
    if (found) return true;
  }
  return false;
}

/** Longest list of warnings that a plan shows. */
const MAX_WARNINGS = 50;
/** Components whose bodies are looked at a time, and then whoever else waits has a turn. */
const BATCH = 64;

/**
 * What a selective promotion may leave dangling: a chosen component that names another one which the source has and the
 * target will not have, and a chosen requirement that the target does not bind.
 */
export async function danglingReferences(
  maps: Maps,
  chosen: readonly EntryChange[],
  candidate: Hash,
  source: Hash,
  config: Hash,
): Promise<string[]> {
  const missing = new Map<string, string>();
  for (const { key, left } of await maps.diff(candidate, source)) {
    if (left !== null) continue;
    missing.set(key, key);
    missing.set(key.slice(key.indexOf("/") + 1), key);
  }
  // Where nothing is missing, what bodies name is there.
  const telling = chosen.filter(({ key, right }) => right !== null && (missing.size > 0 || key.startsWith(REQUIRES)));
  const warnings: string[] = [];
  for (let start = 0; start < telling.length && warnings.length < MAX_WARNINGS; start += BATCH) {
    const batch = telling.slice(start, start + BATCH);
    const bodies = await maps.values(batch.map(({ right }) => right));
    for (const [index, { key }] of batch.entries()) {
      const body = bodies[index] ?? null;
      if (key.startsWith(REQUIRES)) warnings.push(...(await unboundWarning(maps, config, key.slice(REQUIRES.length), body)));
      const named = new Set([...strings(body)].flatMap((text) => missing.get(text) ?? []));
      for (const other of named) warnings.push(`${key} names ${other}, which the target does not have.`);
    }
    await turn();
  }
  return warnings.slice(0, MAX_WARNINGS);
}

async function unboundWarning(maps: Maps, config: Hash, name: string, body: Json): Promise<string[]> {
  const requirement = parseRequirement(name, body);
  if (requirement.default !== undefined || (await maps.has(config, [boundAt(requirement)]))[0]) return [];
  return [`${REQUIRES}${name} declares a ${requirement.kind} that the target does not bind.`];
}

/** Every string in a value, member names aside. */
function* strings(value: Json): Generator<string> {
  if (typeof value === "string") yield value;
  else if (Array.isArray(value)) for (const item of value) yield* strings(item);
  else if (isObject(value)) for (const item of Object.values(value)) yield* strings(item);
}
