import { mkdirSync } from "node:fs";
import type { Domain } from "../../src/domain.ts";
import { type InProcess, openEngine } from "../engine.ts";

/** What a cost may grow with: an engine is made to hold so many, and more. */
export interface Dimension {
  /** What there is so many of: `versions`. */
  readonly over: string;
  /** Makes it hold `to` of them, where it holds `from`. Stops early when `late()`, and answers how many there are. */
  grow(engine: InProcess, from: number, to: number, late: () => boolean): Promise<number>;
  readonly operations: readonly Operation[];
}

/** One thing that people do, whose cost is asked for. */
export interface Operation {
  readonly id: string;
  readonly what: string;
  /** What has to be there first. It is neither counted nor timed. */
  readonly prepare?: (at: At) => Promise<unknown>;
  run(domain: Domain, at: At): Promise<unknown>;
  /** Objects that each level of the map may add: for what follows paths in it. */
  readonly objectsPerLevel?: number;
  /** Documents that it may read more without there being more: where several are written at once, how they share commits decides. */
  readonly documentsMore?: number;
  /** Milliseconds at the largest size as a multiple of the smallest: where a goal names it. */
  readonly atMost?: number;
}

interface At {
  readonly n: number;
  /** Another number each time. */
  readonly nth: number;
  readonly engine: InProcess;
}

/** An engine on a file of its own that is made to hold more and more. */
export class Grown {
  readonly #dimension: Dimension;
  readonly #folder: string;
  #engine: InProcess | null = null;
  #aheadMs = 0;
  size = 0;

  constructor(dimension: Dimension, folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#dimension = dimension;
    this.#folder = folder;
  }

  async engine(): Promise<InProcess> {
    if (this.#engine === null) {
      this.#engine = await openEngine(this.#folder);
      // Its clock does not go back.
      this.#engine.store.aheadMs = this.#aheadMs;
    }
    return this.#engine;
  }

  async grow(to: number, late: () => boolean): Promise<boolean> {
    this.size = await this.#dimension.grow(await this.engine(), this.size, to, late);
    return this.size >= to;
  }

  async close(): Promise<void> {
    if (this.#engine === null) return;
    this.#aheadMs = this.#engine.store.aheadMs;
    await this.#engine.close();
    this.#engine = null;
  }
}
