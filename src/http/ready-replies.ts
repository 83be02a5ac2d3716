import { activeAt } from "../deployments.ts";
import type { Domain } from "../domain.ts";
import { FifoMap } from "../fifo-map.ts";
import { LIMITS } from "../limits.ts";
import type { Environment } from "../model.ts";
import { ReadyHeads, ReadyReply } from "./ready-reply.ts";

/** One path that is read, and the reply that is ready for it. */
export interface Lane {
  readonly path: string;
  readonly project: string;
  readonly env: string;
  readonly operation: "getConfig" | "getActive";
  ready: ReadyReply | null;
  /** A reply that is being made: whoever needs it as of no later revision waits for the same. */
  making: { readonly asOf: number; readonly done: Promise<void> } | null;
  /** As of which revision it was found too large to be kept. */
  tooLargeAt: number;
}

const PATH = /^\/env\/([A-Za-z0-9][A-Za-z0-9_-]{0,63})\/([a-z0-9][a-z0-9_-]{0,62})\/(config|active)$/;
const OPERATIONS = { config: "getConfig", active: "getActive" } as const;

/** The replies that are ready, within a bound: where there are too many, those go first whose paths were asked for first. */
export class ReadyReplies {
  readonly #domain: Domain;
  readonly #bounds: Readonly<Record<"readyPaths" | "readyBytes" | "readyBytesTotal", number>>;
  readonly #lanes = new FifoMap<string, Lane>();
  readonly #heads = new ReadyHeads();
  #bytes = 0;

  constructor(domain: Domain, bounds: Readonly<Record<"readyPaths" | "readyBytes" | "readyBytesTotal", number>> = LIMITS) {
    this.#domain = domain;
    this.#bounds = bounds;
    domain.readIndex.onDoubt(() => {
      for (const lane of [...this.#lanes.values()]) this.#forget(lane.path, lane);
    });
  }

  /** `null` for a path that is answered elsewhere. */
  lane(path: string): Lane | null {
    const known = this.#lanes.get(path);
    if (known !== undefined) return known;
    const [, project, env, what] = PATH.exec(path) ?? [];
    if (project === undefined || env === undefined) return null;
    return emptyLane({ path, project, env, operation: OPERATIONS[what as keyof typeof OPERATIONS] });
  }

  /**
   * Makes a path's reply ready as of that revision of its project, unless it is, or is too large to be kept. For somebody who may read
   * it: what others ask for takes no room.
   * @throws what reading it throws
   */
  async make({ path, project, env, operation }: Lane, revision: number): Promise<ReadyReply | null> {
    // One that had to make room is not taken up again: what comes of it is in nobody's count.
    const lane = this.#lanes.get(path) ?? emptyLane({ path, project, env, operation });
    this.#lanes.set(path, lane);
    if (lane.tooLargeAt >= revision || (lane.ready !== null && lane.ready.asOf >= revision)) return lane.ready;
    if (lane.making === null || lane.making.asOf < revision) {
      const done = this.#make(lane, revision).finally(() => {
        if (lane.making?.done === done) lane.making = null;
        if (lane.ready === null && lane.tooLargeAt === 0 && this.#lanes.get(path) === lane) this.#lanes.delete(path);
        this.#makeRoom();
      });
      lane.making = { asOf: revision, done };
    }
    await lane.making.done;
    return lane.ready;
  }

  async #make(lane: Lane, revision: number): Promise<void> {
    const { value: head } = await this.#domain.heads.readable(lane.project, lane.env, "current");
    const { tag, load } = this.#read(lane, head);
    if (lane.ready?.tag === tag) {
      lane.ready.renew(head, revision);
      return;
    }
    const made = new ReadyReply(this.#heads, head, revision, tag, JSON.stringify(await load()));
    // Of two that were made at once, the older may come last.
    if (lane.ready !== null && lane.ready.asOf > revision) return;
    const isKept = made.bytes <= this.#bounds.readyBytes;
    if (this.#lanes.get(lane.path) === lane) this.#bytes += (isKept ? made.bytes : 0) - (lane.ready?.bytes ?? 0);
    lane.ready = isKept ? made : null;
    lane.tooLargeAt = isKept ? 0 : revision;
  }

  #read(lane: Lane, head: Environment): { readonly tag: string; load(): Promise<unknown> } {
    if (lane.operation === "getConfig") return this.#domain.config.readAt(lane.project, head);
    const { tag, body } = activeAt(lane.project, head, head);
    return { tag, load: async () => body };
  }

  #makeRoom(): void {
    for (let oldest = this.#lanes.oldest(); oldest !== undefined; oldest = this.#lanes.oldest()) {
      const [path, lane] = oldest;
      if (this.#lanes.size <= this.#bounds.readyPaths && this.#bytes <= this.#bounds.readyBytesTotal) return;
      this.#forget(path, lane);
    }
  }

  #forget(path: string, lane: Lane): void {
    this.#lanes.delete(path);
    this.#bytes -= lane.ready?.bytes ?? 0;
    lane.ready = null;
  }
}

function emptyLane(place: Pick<Lane, "path" | "project" | "env" | "operation">): Lane {
  return { ...place, ready: null, making: null, tooLargeAt: 0 };
}
