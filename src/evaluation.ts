import { createHash, hash } from "node:crypto";
import { AppError } from "./errors.ts";
import { FifoMap } from "./fifo-map.ts";
import { EVALUATORS, FLAG_METADATA, FLAGS, membersOf } from "./flag-entries.ts";
import { type Context, contextFault } from "./flagd/context.ts";
import type { Shared } from "./flagd/definition.ts";
import type { compileFlags, Evaluation, FlagSet } from "./flagd/flag-set.ts";
import type { HeadCache } from "./head-cache.ts";
import { LIMITS } from "./limits.ts";
import { canonicalJson } from "./merkle/canonical.ts";
import type { Snapshot } from "./model.ts";
import type { Json, JsonObject } from "./ports.ts";
import { defaultsOf, requirementsOf } from "./requirements.ts";
import type { Maps, Snapshots } from "./snapshots.ts";

/** The flags that an environment runs with: those it binds, and the platform's defaults for what it does not. */
export interface ReadyFlags {
  readonly definitions: JsonObject;
  readonly set: FlagSet;
  /** Names everything that an evaluation depends on, but for the context and the time. */
  readonly tag: string;
}

/** The flags of a head. */
interface FlagHead extends ReadyFlags {
  readonly project_id: string;
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  /** How old it is, where the store is away. */
  readonly ageMs: number;
}

/** All flags for one context. */
interface BulkEvaluation {
  /** Names what `load` answers. */
  readonly tag: string;
  load(): readonly Evaluation[];
  /** The JSON of what `load` answers. */
  write(): string;
}

/** What a snapshot's flags are, as they are written. */
interface FlagContent extends Omit<ReadyFlags, "set"> {
  readonly shared: Shared;
}

/** Flags that are ready, and how many of the snapshots that are kept have just these. */
interface SharedFlags {
  readonly ready: ReadyFlags;
  snapshots: number;
}

/**
 * What flags are for a context. Flags are prepared once for each content, so that an evaluation costs neither a read of the config nor a
 * look at its definitions, and a change of something else no preparation.
 */
export class Evaluations {
  readonly #snapshots: Snapshots;
  readonly #heads: HeadCache;
  /** By snapshot, least recently asked for first. */
  readonly #ready = new FifoMap<string, SharedFlags>();
  /** The same by tag. */
  readonly #byTag = new Map<string, SharedFlags>();
  readonly #limit: number;
  /** Flags in all of those, and snapshots. */
  #count = 0;
  readonly #loading = new Map<string, Promise<ReadyFlags>>();

  constructor(snapshots: Snapshots, heads: HeadCache, limit: number = LIMITS.cachedFlags) {
    this.#limit = limit;
    this.#heads = heads;
    this.#snapshots = snapshots;
  }

  /** The head's flags, ready to be evaluated. */
  async head(project: string, env: string): Promise<FlagHead> {
    const { value: head, ageMs } = await this.#heads.readable(project, env, "known");
    const { version, revision } = head;
    return { project_id: project, env, version, revision, ageMs, ...(await this.flags(project, head)) };
  }

  /** The flags of a snapshot, from memory where they were asked for before. */
  async flags(project: string, snapshot: Snapshot): Promise<ReadyFlags> {
    const known = this.kept(project, snapshot);
    if (known !== null) return known;
    const key = keyOf(project, snapshot);
    const loading = this.#loading.get(key) ?? this.#load(project, snapshot, key);
    this.#loading.set(key, loading);
    return loading;
  }

  /** The same without waiting; `null` where they have to be read. */
  kept(project: string, snapshot: Snapshot): ReadyFlags | null {
    const key = keyOf(project, snapshot);
    const known = this.#ready.get(key);
    if (known === undefined) return null;
    this.#ready.set(key, known);
    return known.ready;
  }

  async #load(project: string, snapshot: Snapshot, key: string): Promise<ReadyFlags> {
    try {
      // What evaluates is loaded with the first flags that somebody asks for.
      const [content, { compileFlags }] = await Promise.all([
        readFlags(this.#snapshots.read(project), snapshot),
        import("./flagd/flag-set.ts"),
      ]);
      const shared = this.#sharedFlags(content, compileFlags);
      shared.snapshots++;
      this.#ready.set(key, shared);
      this.#count++;
      this.#makeRoom();
      return shared.ready;
    } finally {
      this.#loading.delete(key);
    }
  }

  #sharedFlags({ definitions, shared, tag }: FlagContent, compile: typeof compileFlags): SharedFlags {
    const known = this.#byTag.get(tag);
    if (known !== undefined) return known;
    const made = { ready: { definitions, set: compile(definitions, shared), tag }, snapshots: 0 };
    this.#byTag.set(tag, made);
    this.#count += made.ready.set.keys.length;
    return made;
  }

  /** The newest stays, of whatever size it is. */
  #makeRoom(): void {
    for (let oldest = this.#ready.oldest(); oldest !== undefined; oldest = this.#ready.oldest()) {
      const [key, shared] = oldest;
      if (this.#count <= this.#limit || this.#ready.size === 1) return;
      this.#ready.delete(key);
      this.#count--;
      if (--shared.snapshots > 0) continue;
      this.#byTag.delete(shared.ready.tag);
      this.#count -= shared.ready.set.keys.length;
    }
  }
}

function keyOf(project: string, { platform, config }: Snapshot): string {
  return `${project}\0${platform}\0${config}`;
}

async function readFlags(maps: Maps, { platform, config }: Snapshot): Promise<FlagContent> {
  const [bound, evaluators, metadata, requirements] = await Promise.all([
    membersOf(maps, config, FLAGS),
    membersOf(maps, config, EVALUATORS),
    membersOf(maps, config, FLAG_METADATA),
    requirementsOf(maps, platform),
  ]);
  const definitions = { ...defaultsOf(requirements, { vars: {}, flags: bound }).flags, ...bound };
  const tag = createHash("sha256")
    .update(`flags\0${canonicalJson([definitions, evaluators, metadata])}`)
    .digest("hex");
  return { definitions, shared: { evaluators, metadata }, tag };
}

/**
 * All flags for one context, with a tag that is known before anything is evaluated; where a rule reads the clock, the tag is that of what
 * comes out now. `more` is whatever else a reply shows.
 * @throws invalid_context
 */
export function evaluateAll({ set, tag }: ReadyFlags, context: Json, more = ""): BulkEvaluation {
  const checked = checkedContext(context);
  if (!set.readsTime) {
    const named = tagOf([tag, more, JSON.stringify(checked)]);
    return { tag: named, load: () => set.evaluateAll(checked), write: () => set.writeAll(checked) };
  }
  const evaluations = set.evaluateAll(checked);
  const named = tagOf([JSON.stringify([set.metadata, evaluations]), more]);
  return { tag: named, load: () => evaluations, write: () => JSON.stringify(evaluations) };
}

function tagOf(parts: readonly string[]): string {
  return hash("sha256", JSON.stringify(parts), "hex").slice(0, 32);
}

/** @throws invalid_context */
export function evaluateOne({ set }: ReadyFlags, key: string, context: Json): Evaluation {
  return set.evaluate(key, checkedContext(context));
}

function checkedContext(context: Json): Context {
  const fault = contextFault(context);
  if (fault === null) return context as Context;
  throw new AppError("invalid_context", {
    reason: fault,
    fix: 'Send {"context":{"targetingKey":"user-1","plan":"pro"}}: who asks, and what the flags\' rules look at.',
  });
}
