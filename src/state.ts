import { isRemoved, summary } from "./changes.ts";
import { appendEdit, type EditRequest, type EditResult, editResult, plannedEdit } from "./edits.ts";
import { AppError } from "./errors.ts";
import { checkPrecondition, headTag, type PiecewiseRead, type TaggedRead } from "./etags.ts";
import { documentsOf, findRevision, readableHead, writableHead } from "./heads.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { canonicalJson, type Edits, type EntryChange, JsonText } from "./merkle/index.ts";
import type { Bump, Caller, Environment } from "./model.ts";
import { CONFIG_COLLECTIONS, checkCollection, checkComponent, checkProject, quoted } from "./names.ts";
import { checkUnprotected } from "./policy.ts";
import type { Hash, Json, JsonObject, Store } from "./ports.ts";
import { checkRequirementsSize, newlyRequired, parseRequirement, REQUIRES } from "./requirements.ts";
import type { Maps, Snapshots } from "./snapshots.ts";
import type { Transaction } from "./transaction.ts";

/** A platform state as the API shows it: `{collection: {name: component}}`. */
export type PlatformState = Readonly<Record<string, Readonly<Record<string, Json>>>>;

export interface StateEdit extends EditRequest {
  readonly dry_run?: boolean | undefined;
}

interface StateEdited extends Omit<EditResult, "status"> {
  readonly status: EditResult["status"] | "planned";
}

/** Reads and direct edits of an environment's platform state. */
export class State {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;

  constructor(store: Store, ledger: Ledger, snapshots: Snapshots) {
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
  }

  /** The head, or revision `at`: all of it, or one collection. */
  async read(
    project: string,
    env: string,
    { at, collection }: { at?: number | undefined; collection?: string | undefined },
  ): Promise<PiecewiseRead> {
    const { about, tag, maps, platform } = await this.#shown(project, env, at);
    const pieces = () =>
      collection === undefined ? wholeState(maps, platform, about) : oneCollection(maps, platform, { ...about, collection });
    return { ...about, tag, pieces };
  }

  /** The same of one component. */
  async component(
    project: string,
    env: string,
    { at, collection, name }: { at?: number | undefined; collection: string; name: string },
  ): Promise<TaggedRead> {
    const { about, tag, maps, platform } = await this.#shown(project, env, at);
    const load = async () => ({ ...about, collection, name, component: await oneComponent(maps, platform, `${collection}/${name}`) });
    return { ...about, tag, load };
  }

  async #shown(project: string, env: string, at: number | undefined) {
    const documents = documentsOf(this.#store, project);
    const head = await readableHead(documents, env, async () => (await this.#store.now()).toISOString());
    const shown = at === undefined ? head : await findRevision(documents, head, at);
    const about = { project_id: project, env, version: shown.version, revision: shown.revision };
    return { about, tag: headTag(project, shown), maps: this.#snapshots.read(project), platform: shown.platform };
  }

  /** Makes the platform exactly `state`. */
  async replace(caller: Caller, request: StateEdit & { readonly state: PlatformState }): Promise<StateEdited> {
    const wanted = flatten(request.state);
    return this.#write(caller, request, async (maps, head) => {
      const edits = new Map<string, Json | undefined>(wanted);
      for (const name of await maps.names(head.platform, { prefix: "", limit: LIMITS.components })) {
        if (!edits.has(name)) edits.set(name, undefined);
      }
      return edits;
    });
  }

  /** Sets some components and removes others. */
  async patch(
    caller: Caller,
    request: StateEdit & { readonly set?: JsonObject | undefined; readonly remove?: readonly string[] | undefined },
  ): Promise<StateEdited> {
    const edits = new Map<string, JsonText | undefined>();
    for (const [name, value] of Object.entries(request.set ?? {})) edits.set(name, checkNewComponent(name, value));
    const removed = request.remove ?? [];
    for (const name of removed) {
      checkComponent(name);
      if (edits.has(name)) {
        throw new AppError("invalid_request", { reason: `${quoted(name)} is both set and removed.`, fix: "Name each component once." });
      }
      edits.set(name, undefined);
    }
    return this.#write(caller, request, async (maps, head) => {
      const found = await maps.has(head.platform, removed);
      const missing = removed.find((_, index) => !found[index]);
      if (missing !== undefined) throw componentNotFound(missing);
      return edits;
    });
  }

  #write(caller: Caller, request: StateEdit, edit: (maps: Maps, head: Environment) => Promise<Edits>): Promise<StateEdited> {
    const { project, env } = request;
    checkProject(project);
    const write = async (tx: Transaction): Promise<EditResult> => {
      const head = await writableHead(tx, env, tx.clock);
      checkPrecondition(project, head, request.ifMatch);
      await checkUnprotected(tx, head);
      const maps = this.#snapshots.edit(tx);
      const { root, changes } = await maps.edit(head.platform, await edit(maps, head));
      const changed = summary({ platform: changes, config: [] });
      if (changes.length === 0) return editResult("no_changes", project, head, changed);
      await checkPlatformSize(maps, root, head.platform);
      const snapshot = { platform: root, config: head.config };
      return appendEdit(tx, head, request, { action: "update", snapshot, bump: await bumpOf(maps, changes), changes: changed });
    };
    return this.#ledger.once<StateEdited>(project, caller, () =>
      request.dry_run ? this.#planned(request, edit) : this.#ledger.write(project, caller, write),
    );
  }

  /** What the edit would change: it refuses what the edit would refuse, and writes nothing. */
  async #planned(request: StateEdit, edit: (maps: Maps, head: Environment) => Promise<Edits>): Promise<StateEdited> {
    const { project, env } = request;
    const documents = documentsOf(this.#store, project);
    const head = await writableHead(documents, env, (await this.#store.now()).toISOString());
    checkPrecondition(project, head, request.ifMatch);
    await checkUnprotected(documents, head);
    const maps = this.#snapshots.draft(project);
    const { root, changes } = await maps.edit(head.platform, await edit(maps, head));
    await checkPlatformSize(maps, root, head.platform);
    return plannedEdit(documents, head, request, summary({ platform: changes, config: [] }), changes.length > 0);
  }
}

/** A removed component or a new required key breaks who depends on the platform; everything else adds to it, where there is anything. */
export async function bumpOf(maps: Maps, changes: readonly EntryChange[]): Promise<Bump> {
  if (changes.length === 0) return "patch";
  if (changes.some(isRemoved)) return "major";
  return (await newlyRequired(maps, changes)).length > 0 ? "major" : "minor";
}

/**
 * What an older engine let grow larger may stay and become smaller.
 * @param before the platform in whose place it comes
 * @throws too_large
 */
export async function checkPlatformSize(maps: Maps, platform: Hash, before: Hash): Promise<void> {
  if ((await maps.count(platform)) > LIMITS.components) {
    throw new AppError("too_large", {
      reason: `A platform holds at most ${LIMITS.components} components.`,
      fix: "Remove some, or split the project.",
    });
  }
  await checkRequirementsSize(maps, platform, before);
}

function flatten(state: PlatformState): Map<string, Json> {
  const components = new Map<string, Json>();
  for (const [collection, members] of Object.entries(state)) {
    if (collection.includes("/")) throw byCollection(collection);
    checkCollection(collection);
    for (const [name, value] of Object.entries(members)) {
      checkNewComponent(`${collection}/${name}`, value);
      components.set(`${collection}/${name}`, value);
    }
  }
  return components;
}

/** A change names components in full; a whole state is written as it is read. */
function byCollection(name: string): AppError {
  return new AppError("invalid_name", {
    reason: `${quoted(name)} cannot name a collection: a whole state is by collection, and within each by name.`,
    fix: 'Send {"state":{"flows":{"onboarding":…}}}, as GET shows it, or a change with PATCH {"set":{"flows/onboarding":…}}.',
    details: { kind: "collection" },
  });
}

/** @throws invalid_name, invalid_request, too_large */
export function checkNewComponent(name: string, value: Json): JsonText {
  checkComponent(name);
  checkNoConfig(name);
  if (name.startsWith(REQUIRES)) parseRequirement(name.slice(REQUIRES.length), value);
  const text = canonicalJson(value);
  if (Buffer.byteLength(text) <= LIMITS.componentBytes) return new JsonText(text);
  throw new AppError("too_large", {
    reason: `The component ${quoted(name)} is larger than ${LIMITS.componentBytes} bytes.`,
    fix: "Split it into several components.",
  });
}

/** What looks like config would travel with the platform, a secret in the clear. */
function checkNoConfig(name: string): void {
  const collection = name.slice(0, name.indexOf("/"));
  if (!CONFIG_COLLECTIONS.has(collection)) return;
  throw new AppError("invalid_name", {
    reason: `${quoted(name)} cannot be a component: ${collection} are the config of an environment, and do not travel with the platform.`,
    fix: `Send it to PATCH /env/<project>/<env>/config as {"${collection}":{…}}, or choose another collection.`,
  });
}

/** A reply that begins with these members, in pieces: what is stored as text is not made anew of its values. */
async function* wholeState(maps: Maps, platform: Hash, about: object): AsyncGenerator<string, void> {
  yield `${opened(about)},"state":{`;
  let last: string | null = null;
  for await (const page of maps.texts(platform, "")) {
    let piece = "";
    for (const { key, text } of page) {
      const slash = key.indexOf("/");
      const collection = key.slice(0, slash);
      if (collection === last) piece += ",";
      else piece += `${last === null ? "" : "},"}${JSON.stringify(collection)}:{`;
      last = collection;
      piece += `${JSON.stringify(key.slice(slash + 1))}:${text}`;
    }
    yield piece;
  }
  yield last === null ? "}}" : "}}}";
}

async function* oneCollection(maps: Maps, platform: Hash, about: { readonly collection: string }): AsyncGenerator<string, void> {
  const prefix = `${about.collection}/`;
  let begin = `${opened(about)},"components":{`;
  for await (const page of maps.texts(platform, prefix)) {
    yield begin + page.map(({ key, text }) => `${JSON.stringify(key.slice(prefix.length))}:${text}`).join(",");
    begin = ",";
  }
  if (begin === ",") return yield "}}";
  throw new AppError("collection_not_found", {
    reason: `There is no collection ${quoted(about.collection)}.`,
    fix: "Read the whole state to see which there are.",
  });
}

/** An object's JSON without its end. */
function opened(members: object): string {
  return JSON.stringify(members).slice(0, -1);
}

async function oneComponent(maps: Maps, platform: Hash, name: string): Promise<Json> {
  const [value] = await maps.lookup(platform, [name]);
  if (value === undefined) throw componentNotFound(name);
  return value;
}

function componentNotFound(name: string): AppError {
  return new AppError("component_not_found", {
    reason: `There is no component ${quoted(name)}.`,
    fix: "Read its collection to see which there are.",
  });
}
