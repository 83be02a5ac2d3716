import { BOUNDS } from "./bounds.ts";
import { checkFix } from "./fixes.ts";
import { shown } from "./width.ts";

/** The engine's replies in words. */

interface Check {
  readonly name: string;
  readonly status: string;
  readonly reason: string;
  readonly fix?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

interface Conflict {
  readonly component: string;
  readonly our_change: string;
  readonly their_change: string;
  readonly paths?: readonly { readonly path: string; readonly kind: string }[];
}

interface Diff {
  readonly entities_added: readonly string[];
  readonly logic_changed: number;
  readonly env_updated: readonly string[];
  readonly flags_changed: readonly string[];
  readonly components: Readonly<Record<"added" | "changed" | "removed", { readonly count: number; readonly names: readonly string[] }>>;
}

const SIGNS: Readonly<Record<string, string>> = { passed: "✓", warning: "!", failed: "✗", skipped: "-" };

export function checkLines({ name, status, reason, details = {}, ...check }: Check): string[] {
  const fix = check.fix === undefined ? undefined : checkFix(name, check.fix, details);
  const lines = [`${SIGNS[status] ?? "?"} ${shown(name)}: ${shown(reason)}`];
  if (fix !== undefined && status !== "passed" && status !== "skipped") lines.push(`    fix: ${shown(fix)}`);
  return lines;
}

export function conflictLines(
  { component, our_change, their_change, paths = [] }: Conflict,
  [ours, theirs]: readonly [string, string] = ["the target's", "the source's"],
): string[] {
  const where = paths
    .slice(0, BOUNDS.namesTold)
    .map(({ path, kind }) => `    ${shown(path === "" ? "(all of it)" : path)}: ${shown(kind)}`);
  return [`✗ ${shown(component)}: ${ours} was ${our_change}, ${theirs} ${their_change}`, ...where];
}

/** What changes in an environment, a line for each kind. */
export function diffLines({ components, env_updated, flags_changed }: Diff): string[] {
  const parts: readonly (readonly [string, number, readonly string[]])[] = [
    ["+ added:  ", components.added.count, components.added.names],
    ["~ changed:", components.changed.count, components.changed.names],
    ["- removed:", components.removed.count, components.removed.names],
    ["~ config: ", env_updated.length, env_updated],
    ["~ flags:  ", flags_changed.length, flags_changed],
  ];
  const lines = parts.filter(([, count]) => count > 0).map(([label, count, list]) => `${label} ${names(list, count)}`);
  return lines.length === 0 ? ["no component and no config changes"] : lines;
}

/** Some names and how many more there are. */
export function names(list: readonly string[], count: number = list.length): string {
  const told = list.slice(0, BOUNDS.namesTold).map(shown).join(", ");
  const more = count - Math.min(list.length, BOUNDS.namesTold);
  return more > 0 ? `${told} and ${more} more` : told;
}

/** What an error's details add to its reason. */
export function errorLines(code: string, details: Readonly<Record<string, unknown>>): string[] {
  const { checks, conflicts, faults = details["issues"] } = details;
  if (code === "checks_failed" && Array.isArray(checks)) {
    return (checks as Check[]).filter(({ status }) => status === "failed" || status === "warning").flatMap(checkLines);
  }
  if (Array.isArray(conflicts)) return (conflicts as Conflict[]).flatMap((conflict) => conflictLines(conflict));
  if (Array.isArray(faults)) {
    return (faults as { path?: string; message?: string }[]).map(
      ({ path = "", message = "" }) => `  ${path === "" ? "" : `${shown(path)}: `}${shown(message)}`,
    );
  }
  return [];
}

/** `3 vars`, `1 var`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A moment as a person reads it, in UTC. */
export function moment(iso: string | null | undefined): string {
  return iso === null || iso === undefined
    ? ""
    : iso
        .replace("T", " ")
        .replace(/(:\d\d)\.\d+Z$/, "$1")
        .replace(/Z$/, "");
}

/** How old the oldest is of what somebody has not had; nothing where an older engine does not say. */
export function oldestOf(since: string | null | undefined): string {
  return since === null || since === undefined ? "" : `, the oldest for ${span(Date.now() - Date.parse(since))}`;
}

/** How long ago, or how long from now on. */
export function span(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1_000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3_600) return `${Math.round(seconds / 60)} min`;
  return seconds < 48 * 3_600 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}
