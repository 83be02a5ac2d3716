import { may } from "./callers.ts";
import { AppError } from "./errors.ts";
import { EVALUATORS, FLAG_METADATA, FLAGS } from "./flag-entries.ts";
import { documentsOf, readableHead, resolveRevision } from "./heads.ts";
import { LIMITS } from "./limits.ts";
import type { EntryChange } from "./merkle/index.ts";
import type { Caller, Revision } from "./model.ts";
import { checkProject, quoted } from "./names.ts";
import type { Json, Store } from "./ports.ts";
import { factsKey, type SecretFacts } from "./secrets.ts";
import type { Maps, Snapshots } from "./snapshots.ts";

export interface Difference {
  readonly name: string;
  readonly left?: Json;
  readonly right?: Json;
}

export interface Comparison {
  readonly only_left: readonly string[];
  readonly only_right: readonly string[];
  readonly different: readonly Difference[];
  readonly same_count: number;
  /** Secrets set on both sides of which this token may not know whether they are the same. */
  readonly undisclosed?: readonly string[];
  /** The lists were cut: this many differences are not shown. */
  readonly omitted?: number;
}

export interface ComparedSide {
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  readonly snapshot: string;
  readonly timestamp: string;
}

/** Compares any two revisions of a project, platform and config. */
export class Comparisons {
  readonly #store: Store;
  readonly #snapshots: Snapshots;

  constructor(store: Store, snapshots: Snapshots) {
    this.#store = store;
    this.#snapshots = snapshots;
  }

  /** A side is `staging`, `staging@v2.3.1`, `staging@12` or `staging@2026-01-31T12:00:00Z`. */
  async compare(caller: Caller, project: string, left: string, right: string, { bodies }: { bodies: boolean }) {
    checkProject(project);
    const [from, to] = await Promise.all([this.#side(project, left), this.#side(project, right)]);
    const maps = this.#snapshots.read(project);
    const [components, vars, flags, evaluators, flag_metadata, secrets] = await Promise.all([
      compareMaps(maps, from.platform, to.platform, "", bodies),
      compareMaps(maps, from.config, to.config, "vars/", true),
      compareMaps(maps, from.config, to.config, FLAGS, true),
      compareMaps(maps, from.config, to.config, EVALUATORS, true),
      compareMaps(maps, from.config, to.config, FLAG_METADATA, true),
      this.#compareSecrets(caller, project, maps, from, to),
    ]);
    return { project_id: project, left: shown(from), right: shown(to), components, vars, flags, evaluators, flag_metadata, secrets };
  }

  async #side(project: string, side: string): Promise<Revision> {
    const at = side.indexOf("@");
    const env = at < 0 ? side : side.slice(0, at);
    const documents = documentsOf(this.#store, project);
    const head = await readableHead(documents, env, async () => (await this.#store.now()).toISOString());
    return resolveRevision(documents, head, at < 0 ? head.revision : reference(side.slice(at + 1), side));
  }

  /** References always differ: each environment has entries of its own. Whether the values do, fingerprints tell. */
  async #compareSecrets(caller: Caller, project: string, maps: Maps, left: Revision, right: Revision): Promise<Comparison> {
    const prefix = "secrets/";
    const changes = await maps.diff(left.config, right.config, { prefix });
    const onBoth = changes.filter((change) => change.left !== null && change.right !== null);
    const same = (await maps.count(left.config, prefix)) - changes.filter((change) => change.left !== null).length;
    const compared = { ...sides(changes, prefix), different: [] as Difference[], same_count: same };
    const names = onBoth.map(({ key }) => key.slice(prefix.length));
    if (names.length === 0) return compared;
    if (!may(caller, "reveal", project, left.env) || !may(caller, "reveal", project, right.env)) return { ...compared, undisclosed: names };
    const [lefts, rights] = await Promise.all([
      this.#fingerprints(project, maps, onBoth, "left"),
      this.#fingerprints(project, maps, onBoth, "right"),
    ]);
    const different = names.filter((_, index) => lefts[index] === undefined || lefts[index] !== rights[index]);
    return { ...compared, different: different.map((name) => ({ name })), same_count: same + names.length - different.length };
  }

  async #fingerprints(
    project: string,
    maps: Maps,
    changes: readonly EntryChange[],
    side: "left" | "right",
  ): Promise<(string | undefined)[]> {
    const references = await maps.values(changes.map((change) => change[side]));
    const facts = await documentsOf(this.#store, project).getAll<SecretFacts>(references.map((value) => factsKey(value ?? null)));
    return facts.map((known) => known?.fingerprint);
  }
}

async function compareMaps(maps: Maps, left: string, right: string, prefix: string, bodies: boolean): Promise<Comparison> {
  const changes = await maps.diff(left, right, { prefix });
  const cut = changes.slice(0, LIMITS.compareNames);
  const both = cut.filter((change) => change.left !== null && change.right !== null);
  const [lefts, rights] = bodies
    ? await Promise.all([maps.values(both.map((change) => change.left)), maps.values(both.map((change) => change.right))])
    : [[], []];
  const different = both.map(({ key }, index) => ({
    name: key.slice(prefix.length),
    ...(bodies && { left: lefts[index] ?? null, right: rights[index] ?? null }),
  }));
  return {
    ...sides(cut, prefix),
    different,
    same_count: (await maps.count(left, prefix)) - changes.filter((change) => change.left !== null).length,
    ...(cut.length < changes.length && { omitted: changes.length - cut.length }),
  };
}

function sides(changes: readonly EntryChange[], prefix: string): { only_left: string[]; only_right: string[] } {
  const name = ({ key }: EntryChange) => key.slice(prefix.length);
  return {
    only_left: changes.filter(({ right }) => right === null).map(name),
    only_right: changes.filter(({ left }) => left === null).map(name),
  };
}

function shown({ env, version, revision, snapshot, timestamp }: Revision): ComparedSide {
  return { env, version, revision, snapshot, timestamp };
}

function reference(text: string, side: string): string {
  if (text !== "") return text;
  throw new AppError("invalid_request", {
    reason: `${quoted(side)} names no revision after the @.`,
    fix: "Write `staging`, `staging@v2.3.1`, `staging@12` or `staging@2026-01-31T12:00:00Z`.",
  });
}
