import { AppError } from "../errors.ts";
import { FifoMap } from "../fifo-map.ts";
import { LIMITS } from "../limits.ts";
import type { Store } from "../ports.ts";
import {
  asSeals,
  change,
  DATA_KEY,
  damaged,
  KEYCHECK,
  PROJECT_PREFIX,
  projectPartition,
  REGISTRY,
  readDocuments,
  type Seals,
  VAULT_PARTITION,
} from "./documents.ts";
import { opens, readKeycheck, shortId } from "./keycheck.ts";
import { type MasterKey, newDataKey, type ProjectKeys, projectKeys, unwrapDataKey, wrapDataKey } from "./sealing.ts";

/** Projects whose unwrapped keys are kept in memory; the rest is unwrapped again when used. */
const CACHED_PROJECTS = 1_000;

/** The data keys of all projects: unwrapped when first used, made when first needed. */
export class DataKeys {
  readonly #store: Store;
  readonly #master: MasterKey;
  /** Least recently used first. A data key never changes once it is durable, so nothing here goes stale. */
  readonly #cache = new FifoMap<string, ProjectKeys>();
  readonly #making = new Map<string, Promise<ProjectKeys>>();

  constructor(store: Store, master: MasterKey) {
    this.#store = store;
    this.#master = master;
  }

  /** The project's keys, or `null` where nothing was ever sealed for it. */
  async find(project: string): Promise<ProjectKeys | null> {
    const cached = this.#cache.get(project);
    const keys = cached ?? (await this.#read(project));
    if (keys !== null) this.#remember(project, keys);
    return keys;
  }

  /** The project's keys, made now where it has none. Racers, in this process or another, all get the same. */
  async findOrMake(project: string): Promise<ProjectKeys> {
    const found = await this.find(project);
    if (found !== null) return found;
    const underWay = this.#making.get(project);
    if (underWay !== undefined) return underWay;
    const making = this.#make(project).finally(() => this.#making.delete(project));
    this.#making.set(project, making);
    return making;
  }

  forget(): void {
    this.#cache.clear();
  }

  async #make(project: string): Promise<ProjectKeys> {
    for (let attempt = 0; attempt < LIMITS.commitAttempts; attempt += 1) {
      const found = await this.#read(project);
      if (found !== null) return found;
      if (!(await this.#register(project))) continue;
      const dataKey = newDataKey();
      const wrapped: Seals = { [this.#master.id]: wrapDataKey(this.#master, project, dataKey) };
      const puts = [{ key: DATA_KEY, value: wrapped }];
      const result = await this.#store.commit(projectPartition(project), change({ checks: [{ key: DATA_KEY, revision: null }], puts }));
      if (!result.ok) continue;
      const keys = projectKeys(dataKey);
      this.#remember(project, keys);
      return keys;
    }
    throw new AppError("write_conflict");
  }

  /**
   * Makes the project known to rotations before it has a key: a rotation's switch checks `registry`, and this checks that
   * the switch has not happened. So no data key is left behind that only a retired master key opens.
   */
  async #register(project: string): Promise<boolean> {
    const keycheck = await readKeycheck(this.#store);
    if (keycheck.value === null) throw damaged(VAULT_PARTITION, KEYCHECK);
    if (!opens(this.#master, keycheck.value)) throw this.#retired(project);
    const puts = [
      { key: `${PROJECT_PREFIX}${project}`, value: {} },
      { key: REGISTRY, value: { last: project } },
    ];
    const checks = [{ key: KEYCHECK, revision: keycheck.revision }];
    return (await this.#store.commit(VAULT_PARTITION, change({ checks, puts }))).ok;
  }

  async #read(project: string): Promise<ProjectKeys | null> {
    const partition = projectPartition(project);
    const [entry = null] = await readDocuments(this.#store, partition, [DATA_KEY]);
    const { value: seals } = asSeals(partition, entry);
    if (seals === null) return null;
    const wrapped = seals[this.#master.id];
    if (wrapped === undefined) throw this.#retired(project);
    const dataKey = unwrapDataKey(this.#master, project, wrapped);
    if (dataKey === null) throw damaged(partition, DATA_KEY);
    return projectKeys(dataKey);
  }

  #remember(project: string, keys: ProjectKeys): void {
    this.#cache.set(project, keys);
    const oldest = this.#cache.oldest();
    if (oldest !== undefined && this.#cache.size > CACHED_PROJECTS) this.#cache.delete(oldest[0]);
  }

  #retired(project: string): AppError {
    return new AppError("vault_unavailable", {
      reason: `The secrets of project "${project}" do not open with this engine's master key (key ${shortId(this.#master.id)}): it was rotated while the engine ran.`,
      fix: "Restart this engine with the new master key.",
    });
  }
}
