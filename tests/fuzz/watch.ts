import type { Engine } from "../support/engine.ts";
import { type PageOf, succeeded } from "../support/project.ts";

/** What a project holds, as far as a change of any kind shows in it, and what its audit log says of the time since the look before. */
export interface Look {
  readonly environments: ReadonlyMap<string, string>;
  readonly promotions: string;
  readonly policy: string;
  /** The number of the newest audit record. */
  readonly seq: number;
  readonly records: readonly AuditEntry[];
}

interface AuditEntry {
  readonly seq: number;
  readonly action: string;
  readonly environment: string | null;
  readonly request_id: string;
}

/** Of an environment, what only a commit moves: the rest follows from the policy and the time of day. */
const HEAD = ["revision", "version", "snapshot", "hold", "deployment", "updated_at", "expires_at", "source_ref"] as const;
type View = Readonly<Record<(typeof HEAD)[number] | "env", unknown>>;

export class Watch {
  readonly #engine: Engine;
  readonly #project: string;

  constructor(engine: Engine, project: string) {
    this.#engine = engine;
    this.#project = project;
  }

  async look(since: number): Promise<Look> {
    const [environments, promotions, policy, audit] = await Promise.all([
      this.#all<View>(""),
      this.#all<{ readonly id: string; readonly approvals: unknown; readonly closed_at: unknown }>("/promotions"),
      this.#read<{ readonly revision: number }>("/policy"),
      this.#since(since),
    ]);
    return {
      environments: new Map(environments.map((view) => [String(view.env), JSON.stringify(HEAD.map((name) => view[name]))])),
      promotions: JSON.stringify(promotions.map(({ id, approvals, closed_at }) => [id, approvals, closed_at])),
      policy: JSON.stringify(policy),
      seq: audit[0]?.seq ?? since,
      records: audit,
    };
  }

  async #all<Item>(path: string): Promise<readonly Item[]> {
    return (await this.#read<PageOf<Item>>(`${path}?limit=1000`)).items;
  }

  async #since(seq: number): Promise<readonly AuditEntry[]> {
    const records: AuditEntry[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: PageOf<AuditEntry> = await this.#read(`/audit?limit=200${cursor === "" ? "" : `&cursor=${cursor}`}`);
      const fresh = page.items.filter((record) => record.seq > seq);
      records.push(...fresh);
      cursor = fresh.length === page.items.length ? page.next_cursor : null;
    }
    return records;
  }

  async #read<Body>(path: string): Promise<Body> {
    return succeeded(await this.#engine.get<Body>(`/env/${this.#project}${path}`));
  }
}

/** Refusals that are on record because the engine says so: whoever approves what has lost its ground closes it. */
const DOCUMENTED: ReadonlySet<string> = new Set([
  "approvePromotion 409 recorded void_promotion",
  "approvePromotion 409 recorded expire_promotion",
]);

/**
 * Whether everything that moved between two looks has a record, and every record a request that succeeded. So a refused request
 * that left anything shows twice: by its name in the log, or by a change that nobody wrote down.
 * @param refused says what a request was refused with, by its id; `undefined` of all others
 */
export function changeFaults(before: Look, after: Look, refused: (requestId: string) => string | undefined): readonly string[] {
  const byRefused = after.records.flatMap(({ request_id, action }) => {
    const what = `${refused(request_id)} recorded ${action}`;
    return refused(request_id) === undefined || DOCUMENTED.has(what) ? [] : [`a refused request is in the audit log: ${what}`];
  });
  const told = new Set(after.records.map(({ environment }) => environment));
  const names = new Set([...before.environments.keys(), ...after.environments.keys()]);
  const moved = [...names].filter((name) => before.environments.get(name) !== after.environments.get(name) && !told.has(name));
  const quiet = after.records.length === 0;
  return [
    ...byRefused,
    ...moved.map((name) => `${name} changed without a record: ${before.environments.get(name)} → ${after.environments.get(name)}`),
    ...(quiet && before.promotions !== after.promotions ? ["promotions changed without a record"] : []),
    ...(before.policy !== after.policy && !after.records.some(({ action }) => action === "policy")
      ? ["the policy changed without a record"]
      : []),
  ];
}
