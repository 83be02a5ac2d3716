import type { AuditRecord } from "./model.ts";
import type { Attempt, Outlet } from "./outlets.ts";
import type { Put } from "./ports.ts";
import type { Outcome } from "./sink-state.ts";

/** What a project's mirror is called among its sinks. */
export const MIRROR = "git";

interface MirrorOutletParts {
  readonly from: number;
  readonly since: string;
  /** Up to which record everything was pushed by an earlier turn; 0 where that is not known. */
  readonly pushed: number;
  /** Pushes everything that there is, and says up to which record that was. */
  readonly push: (signal: AbortSignal) => Promise<number>;
}

/** A mirror, for one turn of a sender: one push brings all records that there are, so that a long backlog is one push too, also where that takes longer than a turn. */
export class MirrorOutlet implements Outlet {
  readonly name = MIRROR;
  readonly from: number;
  readonly since: string;
  readonly #push: MirrorOutletParts["push"];
  #pushed: number;

  constructor({ from, since, pushed, push }: MirrorOutletParts) {
    this.from = from;
    this.since = since;
    this.#pushed = pushed;
    this.#push = push;
  }

  async send({ seq, revision, action }: AuditRecord, { signal }: Attempt): Promise<Outcome> {
    // What makes no commit is nothing to push. A mirror that is set has to be seen to work.
    if (revision === null && action !== "mirror_set") return "passed";
    if (seq > this.#pushed) this.#pushed = await this.#push(signal);
    return "taken";
  }

  notes(): readonly Put[] {
    return [];
  }

  async close(): Promise<void> {}
}
