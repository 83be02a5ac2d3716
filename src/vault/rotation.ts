import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Check, Store } from "../ports.ts";
import {
  asRotation,
  asSeals,
  change,
  DATA_KEY,
  damaged,
  type Found,
  KEYCHECK,
  PROJECT_PREFIX,
  projectPartition,
  REGISTRY,
  ROTATION,
  type Rotation,
  readDocuments,
  type Seals,
  VAULT_PARTITION,
} from "./documents.ts";
import { opens, sealKeycheck, shortId } from "./keycheck.ts";
import { type MasterKey, newDataKey, type Sealed, unwrapDataKey, wrapDataKey } from "./sealing.ts";

/**
 * Rotation of the master key. Only the wrapping of the projects' data keys changes: values and fingerprints stay.
 *
 * 1. one commit notes that a rotation is under way;
 * 2. each data key is wrapped by the new key *beside* the old wrapping;
 * 3. one commit adds the new key to the keycheck: from here on either key opens the store;
 * 4. one commit, after every wrapping was looked at once more, takes the old key out of the keycheck;
 * 5. the old wrappings are removed, and then the note.
 *
 * Killed anywhere, the store opens with the old key (before 4), the new one (after 3) or either (between), whichever opens it
 * opens everything, and the next call goes on.
 */
export interface RotationOptions {
  readonly store: Store;
  /** `null` where only the new key is at hand, which suffices once every data key is wrapped by it. */
  readonly oldKey: MasterKey | null;
  readonly newKey: MasterKey;
  /** Called once everything opens with either key, before the old one stops opening anything. */
  readonly beforeSwitch?: () => Promise<void>;
  /** Called after each project, with the projects done in this phase of this run. */
  readonly onProgress?: (phase: Rotation["phase"], projects: number) => void;
}

interface RotationResult {
  /** Projects whose data key opens with the new master key, of those that exist at the end. */
  readonly projects: number;
}

interface State {
  readonly keycheck: Found<Seals>;
  readonly rotation: Found<Rotation>;
  readonly registry: number | null;
}

/**
 * Begins a rotation, or goes on with the one that was begun. Calling it for a rotation that is complete changes nothing.
 *
 * @throws AppError `vault_unavailable` where the old key is not the store's, the new one is not the one that the
 *   unfinished rotation leads to, or both are needed and one is missing
 */
export async function rotateMasterKey(options: RotationOptions): Promise<RotationResult> {
  const { store, newKey, onProgress = () => {} } = options;
  let ready = false;
  for (let attempt = 0; attempt < LIMITS.commitAttempts; attempt += 1) {
    const state = await readState(store);
    const rotation = state.rotation.value;
    if (rotation === null) {
      if (isComplete(state, options)) return { projects: await eachProject(store, async () => {}) };
      await begin(options, state);
      continue;
    }
    requireTarget(rotation, newKey);
    const report = (done: number) => onProgress(rotation.phase, done);
    if (rotation.phase === "pruning") {
      const projects = await eachProject(store, (project) => prune(store, newKey, project), report);
      const checks = [{ key: ROTATION, revision: state.rotation.revision }];
      if ((await store.commit(VAULT_PARTITION, change({ checks, deletes: [ROTATION] }))).ok) return { projects };
      continue;
    }
    await eachProject(store, (project) => wrapForBoth(options, project), report);
    if (rotation.phase === "both" && !ready) await options.beforeSwitch?.();
    ready = rotation.phase === "both";
    await advance(store, newKey, state, rotation);
  }
  throw new AppError("write_conflict", {
    reason: "Engines kept changing the vault while it was rotated.",
    fix: "Run the rotation again: it goes on where it is.",
  });
}

/** The rotation that was begun and not finished, or `null`. */
export async function readRotation(store: Store): Promise<Rotation | null> {
  return (await readState(store)).rotation.value;
}

/**
 * Takes back a rotation whose new key was lost before the switch: afterwards only the old key opens the store.
 *
 * @throws AppError `vault_unavailable` where there is none to take back, or it has gone too far for that
 */
export async function abandonRotation(store: Store, oldKey: MasterKey): Promise<void> {
  for (let attempt = 0; attempt < LIMITS.commitAttempts; attempt += 1) {
    const { keycheck, rotation, registry } = await readState(store);
    const seal = keycheck.value?.[oldKey.id];
    if (rotation.value === null) throw refusal("No rotation of the master key is under way.", "Nothing needs to be done.");
    if (rotation.value.phase === "pruning" || rotation.value.from !== oldKey.id || seal === undefined) throw tooLate();
    await eachProject(store, async (project) => {
      const { value: wrappings } = await readWrappings(store, project);
      if (wrappings !== null && wrappings[oldKey.id] === undefined) throw tooLate();
    });
    const checks = stateChecks({ keycheck, rotation, registry });
    const puts = [{ key: KEYCHECK, value: { [oldKey.id]: seal } }];
    if ((await store.commit(VAULT_PARTITION, change({ checks, puts, deletes: [ROTATION] }))).ok) return;
  }
  throw new AppError("write_conflict");
}

async function readState(store: Store): Promise<State> {
  const [keycheck = null, rotation = null, registry = null] = await readDocuments(store, VAULT_PARTITION, [KEYCHECK, ROTATION, REGISTRY]);
  return { keycheck: asSeals(VAULT_PARTITION, keycheck), rotation: asRotation(rotation), registry: registry?.revision ?? null };
}

/** Nothing moved since `state` was read, and above all: no project was added. */
function stateChecks({ keycheck, rotation, registry }: State): Check[] {
  return [
    { key: KEYCHECK, revision: keycheck.revision },
    { key: ROTATION, revision: rotation.revision },
    { key: REGISTRY, revision: registry },
  ];
}

function isComplete({ keycheck }: State, { oldKey, newKey }: RotationOptions): boolean {
  if (keycheck.value === null) return false;
  const oldOpens = oldKey !== null && opens(oldKey, keycheck.value);
  return !oldOpens && opens(newKey, keycheck.value);
}

/** Losing this race is fine: the caller looks again at what is under way. */
async function begin({ store, oldKey, newKey }: RotationOptions, { keycheck, rotation }: State): Promise<void> {
  if (keycheck.value === null) {
    throw refusal(
      "This store holds no vault yet, so there is nothing to rotate.",
      "Check STORE_URL. A vault is made when the engine first starts on a store.",
    );
  }
  if (oldKey === null || !opens(oldKey, keycheck.value)) {
    const known = Object.keys(keycheck.value).map(shortId).join(" or ");
    throw refusal(`The old master key is not the one that opens this store (key ${known}).`, "Give the key that the engine starts with.");
  }
  if (oldKey.id === newKey.id) throw refusal("The new master key is the old one.", "`openssl rand -base64 32` makes a new one.");
  const puts = [{ key: ROTATION, value: { from: oldKey.id, to: newKey.id, phase: "wrapping" } }];
  const checks = [
    { key: KEYCHECK, revision: keycheck.revision },
    { key: ROTATION, revision: rotation.revision },
  ];
  await store.commit(VAULT_PARTITION, change({ checks, puts }));
}

/** A key's id is derived from it: the same id is the same key. */
function requireTarget(rotation: Rotation, newKey: MasterKey): void {
  if (rotation.to === newKey.id) return;
  throw refusal(
    `A rotation to another master key (key ${shortId(rotation.to)}) was begun and not finished.`,
    "Run the rotation with that key to finish it. If that key is lost, `npm run vault:rotate -- --abandon` takes the rotation back.",
  );
}

async function wrapForBoth({ store, oldKey, newKey }: RotationOptions, project: string): Promise<void> {
  await editWrappings(store, project, (wrappings) => {
    // Registered, but without a key yet: made here, so that no engine can make one that the new key does not open.
    if (wrappings === null) return wrapAll([oldKey, newKey], project, newDataKey());
    if (wrappings[newKey.id] !== undefined) {
      unwrapOrThrow(newKey, project, wrappings);
      return null;
    }
    const kept = oldKey === null ? undefined : wrappings[oldKey.id];
    if (oldKey === null || kept === undefined) {
      throw refusal(
        `The data key of project "${project}" is still wrapped by the old master key alone.`,
        "Run the rotation again with both keys: the old one in ENV_MANAGER_MASTER_KEY, the new one in ENV_MANAGER_NEW_MASTER_KEY.",
      );
    }
    return { [oldKey.id]: kept, ...wrapAll([newKey], project, unwrapOrThrow(oldKey, project, wrappings)) };
  });
}

/** To the next phase. Lost where a project was added meanwhile, or somebody else went on: the caller looks again. */
async function advance(store: Store, newKey: MasterKey, state: State, rotation: Rotation): Promise<void> {
  const added = { [newKey.id]: sealKeycheck(newKey) };
  const puts =
    rotation.phase === "wrapping"
      ? [
          { key: KEYCHECK, value: { ...state.keycheck.value, ...added } },
          { key: ROTATION, value: { ...rotation, phase: "both" } },
        ]
      : [
          { key: KEYCHECK, value: added },
          { key: ROTATION, value: { ...rotation, phase: "pruning" } },
        ];
  await store.commit(VAULT_PARTITION, change({ checks: stateChecks(state), puts }));
}

async function prune(store: Store, newKey: MasterKey, project: string): Promise<void> {
  await editWrappings(store, project, (wrappings) => {
    if (wrappings === null) return null;
    unwrapOrThrow(newKey, project, wrappings);
    const kept = wrappings[newKey.id];
    return kept === undefined || Object.keys(wrappings).length === 1 ? null : { [newKey.id]: kept };
  });
}

function wrapAll(keys: readonly (MasterKey | null)[], project: string, dataKey: Uint8Array): Seals {
  const wrappings: Record<string, Sealed> = {};
  for (const key of keys) if (key !== null) wrappings[key.id] = wrapDataKey(key, project, dataKey);
  return wrappings;
}

function unwrapOrThrow(key: MasterKey, project: string, wrappings: Seals): Uint8Array {
  const wrapped = wrappings[key.id];
  const dataKey = wrapped === undefined ? null : unwrapDataKey(key, project, wrapped);
  if (dataKey === null) throw damaged(projectPartition(project), DATA_KEY);
  return dataKey;
}

/** `edit` answers the new document, or `null` to leave it as it is. */
async function editWrappings(store: Store, project: string, edit: (wrappings: Seals | null) => Seals | null): Promise<void> {
  for (let attempt = 0; attempt < LIMITS.commitAttempts; attempt += 1) {
    const found = await readWrappings(store, project);
    const edited = edit(found.value);
    if (edited === null) return;
    const puts = [{ key: DATA_KEY, value: edited }];
    const checks = [{ key: DATA_KEY, revision: found.revision }];
    if ((await store.commit(projectPartition(project), change({ checks, puts }))).ok) return;
  }
  throw new AppError("write_conflict");
}

async function readWrappings(store: Store, project: string): Promise<Found<Seals>> {
  const partition = projectPartition(project);
  const [entry = null] = await readDocuments(store, partition, [DATA_KEY]);
  return asSeals(partition, entry);
}

/** One project after the other, in order; answers how many. */
async function eachProject(
  store: Store,
  visit: (project: string) => Promise<void>,
  visited: (count: number) => void = () => {},
): Promise<number> {
  let count = 0;
  let after: string | null = null;
  for (;;) {
    const range = { prefix: PROJECT_PREFIX, limit: LIMITS.pageItems, ...(after === null ? {} : { after }) };
    const page = await store.list(VAULT_PARTITION, range);
    for (const { key } of page) {
      const project = key.slice(PROJECT_PREFIX.length);
      await visit(project);
      // The engine's own keys are nobody's project.
      if (!project.startsWith("_")) count += 1;
      visited(count);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < range.limit) return count;
    after = last.key;
  }
}

function tooLate(): AppError {
  return refusal(
    "The rotation has gone too far to be taken back: some secrets open with the new master key alone.",
    "Finish it: run `npm run vault:rotate` with the new key.",
  );
}

function refusal(reason: string, fix: string): AppError {
  return new AppError("vault_unavailable", { reason, fix });
}
