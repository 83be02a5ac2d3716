import { LIMITS } from "./limits.ts";
import type { EntryChange } from "./merkle/index.ts";
import type { ChangeSummary, DiffFromPrevious, Names } from "./model.ts";

/** Tells a change in the words of the version log and of a promotion. Pure; bounded, whatever the size of the change. */

/** Between two revisions: the differences of their platforms and of their configs. */
export interface SnapshotChanges {
  readonly platform: readonly EntryChange[];
  readonly config: readonly EntryChange[];
}

export function summary({ platform, config }: SnapshotChanges): ChangeSummary {
  return {
    components_added: platform.filter(isAdded).length,
    components_changed: platform.filter(isChanged).length,
    components_removed: platform.filter(isRemoved).length,
    entities_added: bounded(namesIn(platform.filter(isAdded), ["entities"])),
    flows_updated: namesIn(platform, ["flows"]).length,
    logic_changed: namesIn(platform, LOGIC).length,
    feature_flags: bounded(flagsIn(config)),
    env_vars_changed: bounded(namesIn(config, VARIABLES)),
  };
}

/** `newlyRequired`: variables that the platform began to require, bound or not. */
export function diffFromPrevious({ platform, config }: SnapshotChanges, newlyRequired: readonly string[]): DiffFromPrevious {
  return {
    entities_added: bounded(namesIn(platform.filter(isAdded), ["entities"])),
    logic_changed: namesIn(platform, LOGIC).length,
    env_updated: bounded([...new Set([...namesIn(config, VARIABLES), ...newlyRequired])].sort()),
    components: {
      added: counted(platform.filter(isAdded)),
      changed: counted(platform.filter(isChanged)),
      removed: counted(platform.filter(isRemoved)),
    },
    flags_changed: bounded(flagsIn(config)),
  };
}

/** Flags by their names; what they share by its kind too, as no flag can be called. */
function flagsIn(config: readonly EntryChange[]): string[] {
  const shared = config.filter(({ key }) => key.startsWith("evaluators/") || key.startsWith("flag_metadata/"));
  return [...namesIn(config, ["flags"]), ...shared.map(({ key }) => key)];
}

const LOGIC = ["flows", "logic"];
const VARIABLES = ["vars", "secrets"];

function isAdded(change: EntryChange): boolean {
  return change.left === null;
}

export function isRemoved(change: EntryChange): boolean {
  return change.right === null;
}

function isChanged(change: EntryChange): boolean {
  return change.left !== null && change.right !== null;
}

/** The names without their collection, each once: a key that turned from a var into a secret is one change. */
function namesIn(changes: readonly EntryChange[], collections: readonly string[]): string[] {
  if (changes.length === 0) return [];
  const found = changes.filter(({ key }) => collections.includes(key.slice(0, key.indexOf("/"))));
  return [...new Set(found.map(({ key }) => key.slice(key.indexOf("/") + 1)))].sort();
}

function counted(changes: readonly EntryChange[]): Names {
  return { count: changes.length, names: bounded(changes.map(({ key }) => key)) };
}

function bounded(names: readonly string[]): readonly string[] {
  return names.slice(0, LIMITS.summaryNames);
}
