import { hash } from "node:crypto";
import { may } from "./callers.ts";
import { AppError } from "./errors.ts";
import type { PiecewiseRead } from "./etags.ts";
import { EVALUATORS, FLAG_METADATA, FLAGS } from "./flag-entries.ts";
import { documentsOf, readableHead, resolveRevision } from "./heads.ts";
import { LIMITS } from "./limits.ts";
import { type EntryChange, PageSize } from "./merkle/index.ts";
import type { Caller, Revision } from "./model.ts";
import { checkProject, quoted } from "./names.ts";
import type { Json, Store } from "./ports.ts";
import { factsKey, type SecretFacts } from "./secrets.ts";
import type { Maps, Snapshots } from "./snapshots.ts";

interface Difference {
  readonly name: string;
  readonly left?: Json;
  readonly right?: Json;
}

interface Comparison {
  readonly only_left: readonly string[];
  readonly only_right: readonly string[];
  readonly different: readonly Difference[];
  readonly same_count: number;
  /** Secrets set on both sides of which this token may not know whether they are the same. */
  readonly undisclosed?: readonly string[];
  /** The lists were cut: this many differences are not shown. */
  readonly omitted?: number;
}

interface ComparedSide {
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  readonly snapshot: string;
  readonly timestamp: string;
}

/** What a comparison answers. */
export interface Compared {
  readonly project_id: string;
  readonly left: ComparedSide;
  readonly right: ComparedSide;
  readonly components: Comparison;
  readonly vars: Comparison;
  readonly flags: Comparison;
  readonly evaluators: Comparison;
  readonly flag_metadata: Comparison;
  readonly secrets: Comparison;
}

/** Compares any two revisions of a project, platform and config. */
export class Comparisons {
  readonly #store: Store;
  readonly #snapshots: Snapshots;

  constructor(store: Store, snapshots: Snapshots) {
    this.#store = store;
    this.#snapshots = snapshots;
  }

  /** `Compared`, a few values at a time. A side is `staging`, `staging@v2.3.1`, `staging@12` or `staging@2026-01-31T12:00:00Z`. */
  async compare(
    caller: Caller,
    project: string,
    left: string,
    right: string,
    { bodies }: { bodies: boolean },
  ): Promise<Pick<PiecewiseRead, "tag" | "pieces">> {
    checkProject(project);
    const [from, to] = await Promise.all([this.#side(project, left), this.#side(project, right)]);
    const maps = this.#snapshots.read(project);
    const about = { project_id: project, left: shown(from), right: shown(to) };
    // What their fingerprints tell, and to whom, is not in the snapshots.
    const secrets = await this.#compareSecrets(caller, project, maps, from, to);
    const tag = hash("sha256", `env-compare-1\0${JSON.stringify({ about, bodies, secrets })}`, "hex").slice(0, 32);
    const kinds = () => ({
      components: differences(maps, from.platform, to.platform, "", bodies),
      vars: differences(maps, from.config, to.config, "vars/", true),
      flags: differences(maps, from.config, to.config, FLAGS, true),
      evaluators: differences(maps, from.config, to.config, EVALUATORS, true),
      flag_metadata: differences(maps, from.config, to.config, FLAG_METADATA, true),
    });
    return { tag, pieces: () => inOne(about, kinds(), { secrets }) };
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

async function* inOne(about: object, kinds: Readonly<Record<string, AsyncIterable<string>>>, last: object): AsyncGenerator<string, void> {
  yield JSON.stringify(about).slice(0, -1);
  for (const [kind, pieces] of Object.entries(kinds)) {
    yield `,${JSON.stringify(kind)}:`;
    yield* pieces;
  }
  yield `,${JSON.stringify(last).slice(1)}`;
}

/** A `Comparison` of what lies under a prefix of two maps, in pieces: of the values that differ, no more are loaded than are asked for. */
async function* differences(maps: Maps, left: string, right: string, prefix: string, bodies: boolean): AsyncGenerator<string, void> {
  const changes = await maps.diff(left, right, { prefix });
  const same_count = (await maps.count(left, prefix)) - changes.filter((change) => change.left !== null).length;
  const cut = changes.slice(0, LIMITS.compareNames);
  const both = cut.filter((change) => change.left !== null && change.right !== null);
  yield `${JSON.stringify(sides(cut, prefix)).slice(0, -1)},"different":[`;
  if (bodies) yield* withValues(maps, both, prefix);
  else yield both.map(({ key }) => JSON.stringify({ name: key.slice(prefix.length) })).join(",");
  const omitted = changes.length - cut.length;
  yield `],${JSON.stringify({ same_count, ...(omitted > 0 && { omitted }) }).slice(1)}`;
}

async function* withValues(maps: Maps, changes: readonly EntryChange[], prefix: string): AsyncGenerator<string, void> {
  const size = new PageSize();
  for (let from = 0; from < changes.length; ) {
    const page = changes.slice(from, from + size.next);
    const lefts = await maps.textsOf(page.map(({ left }) => left));
    const rights = await maps.textsOf(page.map(({ right }) => right));
    const texts = page.map(
      ({ key }, at) => `{"name":${JSON.stringify(key.slice(prefix.length))},"left":${lefts[at]},"right":${rights[at]}}`,
    );
    const text = texts.join(",");
    size.took(page.length, text.length);
    yield from === 0 ? text : `,${text}`;
    from += page.length;
  }
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
