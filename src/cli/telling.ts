import { BOUNDS } from "./bounds.ts";
import { shown } from "./width.ts";

/** The engine's replies in words. */

interface Check {
  readonly name: string;
  readonly status: string;
  readonly reason: string;
  readonly fix?: string | undefined;
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

export function checkLines({ name, status, reason, fix }: Check): string[] {
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
  return lines.length === 0 ? ["nothing changes"] : lines;
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

/** What to type, where the engine says what to send. Where it says what to type, nobody knows better. */
const FIXES: Readonly<Record<string, string>> = {
  unauthorized: "Log in (envm login), or set ENVM_TOKEN.",
  connection_failed: "Start the engine (envm serve), or name another: --url, ENVM_URL.",
  environment_not_found: "envm env list shows what there is.",
  base_not_found: "envm env list shows what there is.",
  version_not_found: "envm versions shows what there is.",
  revision_not_found: "envm history shows what there is.",
  promotion_not_found: "envm approve shows which wait.",
  token_not_found: "envm token list shows what there is.",
  secret_stays_secret: "Set it with envm secret set; to make a var of it, remove the secret first: envm secret unset.",
  project_not_found: "Check -p and the spelling: envm whoami says which projects the token may see. envm env create makes a new one.",
  precondition_failed: "Somebody changed it meanwhile: look at it, and send the command again.",
  plan_stale: "Look at the new plan: send the command again, with --dry-run first.",
  history_rewritten: "Look at who rewrote the branch, and why; where it is meant, add --accept-rewrite.",
  mirror_not_found: "envm git mirror set sets one.",
  unrelated_histories: "Add --replace, or promote a part: --only.",
};

export function fixFor(code: string, fix: string): string {
  return Object.hasOwn(FIXES, code) && !fix.includes("envm ") ? (FIXES[code] ?? fix) : fix;
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

/** How long ago, or how long from now on. */
export function span(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1_000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3_600) return `${Math.round(seconds / 60)} min`;
  return seconds < 48 * 3_600 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}
