import { DocumentCache, type Freshness, type Shown } from "./document-cache.ts";
import { checkReadable, documentsOf, findHead, isExpired } from "./heads.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Environment } from "./model.ts";
import { checkEnvironmentName, checkProject } from "./names.ts";
import type { Clock, Store } from "./ports.ts";
import type { ReadIndex } from "./read-index.ts";

/** The heads of environments that are read often, each as new as the request that asks for it. */
export class HeadCache {
  readonly #store: Store;
  readonly #index: ReadIndex;
  readonly #clock: Clock;
  readonly #heads: DocumentCache<Environment>;

  /** `staleMs`: how old what is shown may be while the store cannot be reached; 0 where it may not. */
  constructor(store: Store, index: ReadIndex, clock: Clock, staleMs: number) {
    this.#store = store;
    this.#index = index;
    this.#clock = clock;
    this.#heads = new DocumentCache(store, index, { limit: LIMITS.cachedHeads, staleMs });
  }

  /** The head, where it is known and as new as that revision of the project; `null` where it has to be asked for. May be over. */
  kept(project: string, env: string, revision: number): Environment | null {
    return this.#heads.kept(project, keys.environment(env), revision);
  }

  /** Notes that the project had that revision at a moment after `at`, of `performance.now()`: how old the head is counts from there. */
  confirm(project: string, env: string, revision: number, at: number): void {
    this.#heads.confirm(project, keys.environment(env), revision, at);
  }

  /**
   * Whether a head that is known may be read now, told without asking the store for the time: where nobody else writes it, its clock is
   * this machine's. Where that cannot be told, no.
   */
  mayBeRead(head: Environment): boolean {
    if (head.expires_at === null) return head.status !== "expired";
    return this.#index.exclusive && !isExpired(head, this.#clock.now().toISOString());
  }

  /**
   * The head of an environment that may be read.
   * @throws invalid_name, project_not_found, environment_not_found, environment_expired, store_unavailable
   */
  async readable(project: string, env: string, freshness: Freshness): Promise<Shown<Environment>> {
    checkProject(project);
    checkEnvironmentName(env);
    const shown = await this.#heads.read(project, keys.environment(env), freshness);
    // What there is not is looked for once more, by who says what it is that there is not.
    const found = shown ?? { value: await findHead(documentsOf(this.#store, project), env), ageMs: 0 };
    // While the store is away, so is its clock.
    await checkReadable(found.value, async () => (found.ageMs > 0 ? this.#clock.now() : await this.#store.now()).toISOString());
    return found;
  }
}
