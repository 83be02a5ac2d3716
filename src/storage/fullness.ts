import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Change } from "../ports.ts";
import { sizeOf } from "./write.ts";

type Written = Pick<Change<string>, "puts" | "objects">;

/** What writes have told of a store's room: nothing is written to find out. */
export class Fullness {
  /** The newest refusal for want of room, and how much was to be written. */
  #refused: { readonly reason: string; readonly size: number; readonly at: number } | null = null;

  /** A refusal of long ago says nothing of now. */
  get reason(): string | null {
    if (this.#refused !== null && performance.now() - this.#refused.at >= LIMITS.fullToldMs) this.#refused = null;
    return this.#refused?.reason ?? null;
  }

  /** Passes on what becomes of a write, and remembers it. */
  async told<Result>(written: Written, outcome: Promise<Result>): Promise<Result> {
    try {
      const result = await outcome;
      // What is small may still fit where what was refused does not.
      if (this.#refused !== null && weight(written) >= this.#refused.size) this.#refused = null;
      return result;
    } catch (error) {
      if (error instanceof AppError && error.code === "storage_full")
        this.#refused = { reason: error.message, size: weight(written), at: performance.now() };
      throw error;
    }
  }
}

function weight({ puts, objects }: Written): number {
  return sizeOf({ partition: "", change: { checks: [], puts, deletes: [], objects, objectDeletes: [] }, objects });
}
