import { createHash } from "node:crypto";
import { AppError } from "./errors.ts";
import { fewAtOnce, resultsOf } from "./few-at-once.ts";
import { FifoMap } from "./fifo-map.ts";
import type { Documents } from "./heads.ts";
import { isObject } from "./json.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import { canonicalJson, EMPTY_ROOT } from "./merkle/index.ts";
import type { Environment } from "./model.ts";
import type { Hash, Json, Validator, Verdict } from "./ports.ts";
import type { Maps } from "./snapshots.ts";

/** What the Validation engine says of a candidate's flows. */
export interface ValidationFacts {
  /** Flows that were looked at: those that differ from what was validated for this environment before. */
  readonly flows: number;
  readonly errors: readonly FlowFault[];
  readonly warnings: readonly FlowFault[];
  /** Why some could not be looked at. */
  readonly unavailable: string | null;
}

/** Why nobody was asked: there is no Validation engine, or its word would make no difference yet. */
export type Unasked = "no_engine" | "not_now";

export interface FlowFault {
  readonly component: string;
  readonly field: string;
  readonly reason: string;
}

/** The document `validated/<env>`: a platform of which every flow is valid. */
export interface Validated {
  readonly platform: Hash;
  readonly at: string;
}

interface Flow {
  readonly component: string;
  /** SHA-256 of its canonical JSON. */
  readonly hash: Hash;
  readonly blueprint: Json;
}

/** What is said of flows in one operation: asked of the engine while it is planned, recalled while it is committed. */
export interface Verdicts {
  of(flows: readonly Flow[]): Promise<readonly (Verdict | Unavailable)[]>;
}

interface Unavailable {
  readonly unavailable: string;
}

const FLOWS = "flows/";

/** Asks the Validation engine about flows, each content once. */
export class Validation {
  readonly #validator: Validator | null;
  /** Verdicts without errors by the flow's hash, the oldest first. What was wrong is asked about again. */
  readonly #known = new FifoMap<Hash, Verdict>();

  constructor(validator: Validator | null) {
    this.#validator = validator;
  }

  /** For one operation; `null` where there is no Validation engine. */
  begin(requestId: string): Inquiry | null {
    return this.#validator === null ? null : new Inquiry(this.#validator, this.#known, requestId);
  }
}

/** One operation's questions, and the answers to them. */
class Inquiry implements Verdicts {
  readonly #validator: Validator;
  readonly #known: FifoMap<Hash, Verdict>;
  readonly #requestId: string;
  readonly #told = new Map<Hash, Verdict | Unavailable>();

  constructor(validator: Validator, known: FifoMap<Hash, Verdict>, requestId: string) {
    this.#validator = validator;
    this.#known = known;
    this.#requestId = requestId;
  }

  async of(flows: readonly Flow[]): Promise<readonly (Verdict | Unavailable)[]> {
    const waiting = flows.filter(({ hash }) => !this.#told.has(hash));
    const ask = async (flow: Flow) => this.#told.set(flow.hash, await this.#verdict(flow));
    resultsOf(await fewAtOnce(waiting, LIMITS.validationsAtOnce, ask));
    return flows.map(({ hash }) => this.#told.get(hash) ?? NOT_TOLD);
  }

  /** The answers alone, for a commit, which asks nobody. @throws write_conflict where the flows are others than those asked about */
  recalled(): Verdicts {
    return {
      of: async (flows) =>
        flows.map(({ hash }) => {
          const told = this.#told.get(hash);
          if (told !== undefined) return told;
          throw new AppError("write_conflict", {
            reason: "The platform changed while its flows were being validated.",
            fix: "Send the request again.",
          });
        }),
    };
  }

  async #verdict({ hash, blueprint }: Flow): Promise<Verdict | Unavailable> {
    const known = this.#known.get(hash);
    if (known !== undefined) return known;
    // Once it is away, nobody waits for it again and again.
    const gone = [...this.#told.values()].find((told) => "unavailable" in told);
    if (gone !== undefined) return gone;
    try {
      const verdict = await this.#validator.check(blueprint, this.#requestId);
      if (verdict.errors.length === 0) this.#remember(hash, verdict);
      return verdict;
    } catch (error) {
      if (error instanceof AppError && error.code === "engine_unavailable") return { unavailable: error.message };
      throw error;
    }
  }

  #remember(hash: Hash, verdict: Verdict): void {
    this.#known.set(hash, verdict);
    const oldest = this.#known.oldest();
    if (oldest !== undefined && this.#known.size > LIMITS.cachedVerdicts) this.#known.delete(oldest[0]);
  }
}

const NOT_TOLD: Unavailable = { unavailable: "The Validation engine did not answer." };

/** Looks at the flows of a candidate that differ from what was validated for the environment before: cost follows the change. */
export async function validationOf(
  documents: Documents,
  maps: Maps,
  verdicts: Verdicts,
  target: Pick<Environment, "env">,
  platform: Hash,
): Promise<ValidationFacts> {
  const [validated] = await documents.getAll<Validated>([keys.validated(target.env)]);
  const changes = await maps.diff(validated?.platform ?? EMPTY_ROOT, platform, { prefix: FLOWS });
  const present = changes.filter(({ right }) => right !== null);
  const bodies = await maps.values(present.map(({ right }) => right));
  const flows = present.flatMap(({ key }, index) => flowOf(key, bodies[index]));
  const told = await verdicts.of(flows);
  const faults = (kind: "errors" | "warnings") =>
    flows.flatMap(({ component }, index) => {
      const verdict = told[index] ?? NOT_TOLD;
      return "unavailable" in verdict ? [] : verdict[kind].map(({ field, reason }) => ({ component, field, reason }));
    });
  const gone = told.find((verdict) => "unavailable" in verdict);
  return { flows: flows.length, errors: faults("errors"), warnings: faults("warnings"), unavailable: gone?.unavailable ?? null };
}

/** A flow that does something: one without a trigger or actions is a draft that nobody runs. */
function flowOf(component: string, blueprint: Json | undefined): Flow[] {
  if (!isObject(blueprint ?? null) || !("trigger" in (blueprint as object) || "actions" in (blueprint as object))) return [];
  const hash = createHash("sha256")
    .update(canonicalJson(blueprint ?? null))
    .digest("hex");
  return [{ component, hash, blueprint: blueprint ?? null }];
}
