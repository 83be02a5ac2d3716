import { AppError } from "./errors.ts";
import { documentsOf } from "./heads.ts";
import { keys } from "./keys.ts";
import { aside, type Ledger } from "./ledger.ts";
import { snapshotId } from "./merkle/index.ts";
import type { Caller, Environment } from "./model.ts";
import type { PreviewBuilder, Store } from "./ports.ts";

export interface PreviewUrl {
  readonly url: string;
  /** Why it is not the Platform Builder's. */
  readonly warning?: string;
}

/** Where a preview is looked at: what the Platform Builder says, and what the template says where it is not asked or away. */
export class PreviewUrls {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #builder: PreviewBuilder | null;

  constructor(store: Store, ledger: Ledger, builder: PreviewBuilder | null) {
    this.#store = store;
    this.#ledger = ledger;
    this.#builder = builder;
  }

  /** Has a preview's head built. The preview exists by now: a builder that is away takes nothing from it but its address. */
  async build(caller: Caller, project: string, env: string, known: string): Promise<PreviewUrl> {
    if (this.#builder === null) return { url: known };
    const [head] = await documentsOf(this.#store, project).getAll<Environment>([keys.environment(env)]);
    if (!head) return { url: known };
    const order = { project, env, version: head.version, snapshot: snapshotId(head.platform, head.config) };
    try {
      const url = await this.#builder.build(order, caller.requestId);
      if (url !== null && url !== head.url) await this.#keep(caller, project, env, url);
      return { url: url ?? head.url };
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "engine_unavailable") throw error;
      return { url: head.url, warning: `${error.message} The URL may show nothing yet: send the request again when it is back.` };
    }
  }

  async #keep(caller: Caller, project: string, env: string, url: string): Promise<void> {
    await this.#ledger.write(project, aside(caller), async (tx) => {
      const head = await tx.get<Environment>(keys.environment(env));
      if (head === null) return;
      tx.put(keys.environment(env), { ...head, url } satisfies Environment);
      await tx.audit({ action: "preview_url", environment: env, version: head.version, revision: head.revision, details: { url } });
    });
  }
}
