import { AppError } from "./errors.ts";
import { documentsOf } from "./heads.ts";
import { keys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { snapshotId } from "./merkle/index.ts";
import type { Caller, Environment } from "./model.ts";
import type { PreviewBuilder, Store } from "./ports.ts";

interface PreviewUrl {
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

  /**
   * Has a preview's head built. The preview exists by now: a builder that is away takes nothing from it but its address. Repeated with the
   * same idempotency key, what was answered is answered again, and nobody is asked.
   */
  async build(caller: Caller, project: string, env: string, known: string): Promise<PreviewUrl> {
    const builder = this.#builder;
    if (builder === null) return { url: known };
    return this.#ledger.once(project, caller, async () => {
      const [head] = await documentsOf(this.#store, project).getAll<Environment>([keys.environment(env)]);
      const told = head ? await ask(builder, { ...head, project_id: project }, caller.requestId) : { url: known };
      if (caller.once === undefined && told.url === head?.url) return told;
      return this.#keep(caller, project, env, told);
    });
  }

  async #keep(caller: Caller, project: string, env: string, told: PreviewUrl): Promise<PreviewUrl> {
    return this.#ledger.write(project, caller, async (tx) => {
      const head = await tx.get<Environment>(keys.environment(env));
      if (head === null || told.warning !== undefined || told.url === head.url) return told;
      const { url } = told;
      tx.put(keys.environment(env), { ...head, url } satisfies Environment);
      await tx.audit({ action: "preview_url", environment: env, version: head.version, revision: head.revision, details: { url } });
      return told;
    });
  }
}

async function ask(builder: PreviewBuilder, head: Environment & { readonly project_id: string }, requestId: string): Promise<PreviewUrl> {
  const { project_id: project, env, version, url } = head;
  const order = { project, env, version, snapshot: snapshotId(head.platform, head.config) };
  try {
    return { url: (await builder.build(order, requestId)) ?? url };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "engine_unavailable") throw error;
    const fix = "The URL may show nothing yet: when it is back, send the request again, with another Idempotency-Key if it has one.";
    return { url, warning: `${error.message} ${fix}` };
  }
}
