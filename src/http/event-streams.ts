import type { IncomingMessage, ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { LIMITS } from "../limits.ts";
import type { ProjectEvent } from "../project-watches.ts";
import type { HeadEvent } from "../watches.ts";
import { cutWire, endWire, wireOf } from "./connections.ts";
import { holdStream } from "./streams.ts";

type ToldEvent = HeadEvent | ProjectEvent;

/** Events as a reader gets them: all that is told of a head, or, for whoever may only evaluate, that there is a new one. */
type EventView = "whole" | "bare";

export interface EventSource {
  readonly view: EventView;
  /** @returns what ends it */
  watch(watcher: { tell(events: readonly ToldEvent[]): void; end(): void }): () => void;
}

type EventBounds = Readonly<Record<"watchReturnMs" | "watchHeartbeatMs" | "watchBufferBytes", number>>;

const SIGN_OF_LIFE = Buffer.from(":\n\n");
/** Turns in which everybody is given a sign of life, so that they are not all given it at once. */
const TURNS = 15;

/**
 * Server-sent events (WHATWG HTML §9.2). What all are told is written down once and goes to each connection as it is, past Node's framing
 * of replies, so that a reply ends with its connection. Whoever does not read is cut off.
 */
export class EventStreams {
  readonly #turns: readonly Set<Writable>[] = Array.from({ length: TURNS }, () => new Set());
  readonly #texts = { whole: new WeakMap<readonly ToldEvent[], Buffer>(), bare: new WeakMap<readonly ToldEvent[], Buffer>() };
  readonly #bounds: EventBounds;
  #open = 0;
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(bounds: EventBounds = LIMITS) {
    this.#bounds = bounds;
  }

  /**
   * Answers with events until the reader leaves or the source ends. Where it throws after the head was sent, the connection has to be cut
   * by whoever called it, which lets go of all that was begun.
   * @returns what they are written to, until it closes; `null` where nobody reads
   */
  send(request: IncomingMessage, response: ServerResponse, source: EventSource): Writable | null {
    response.setHeader("content-type", "text/event-stream; charset=utf-8");
    response.setHeader("cache-control", "no-store");
    // nginx would gather what is to be told now.
    response.setHeader("x-accel-buffering", "no");
    response.setHeader("connection", "close");
    response.useChunkedEncodingByDefault = false;
    if (request.method === "HEAD" || response.destroyed) {
      response.end();
      return null;
    }
    const wire = wireOf(response);
    this.#follow(wire, source);
    return wire;
  }

  /** Apart from `send`, so that what lasts as long as the reader does not know of the request. */
  #follow(wire: Writable, { view, watch }: EventSource): void {
    wire.write(`retry: ${Math.floor(this.#bounds.watchReturnMs * (1 + 2 * Math.random()))}\n\n`);
    holdStream(wire, this.#keepAlive(wire));
    const watcher = { tell: (events: readonly ToldEvent[]) => this.#give(wire, this.#textOf(events, view)), end: () => endWire(wire) };
    holdStream(wire, watch(watcher));
  }

  #textOf(events: readonly ToldEvent[], view: EventView): Buffer {
    const known = this.#texts[view].get(events);
    if (known !== undefined) return known;
    const text = Buffer.from(events.map((event) => `id: ${idOf(event)}\ndata: ${JSON.stringify(shown(event, view))}\n\n`).join(""));
    this.#texts[view].set(events, text);
    return text;
  }

  #keepAlive(wire: Writable): () => void {
    const turn = this.#turns[this.#open++ % TURNS];
    turn?.add(wire);
    this.#timer ??= setInterval(() => {
      for (const reader of this.#turns[this.#turn++ % TURNS] ?? []) this.#give(reader, SIGN_OF_LIFE);
    }, this.#bounds.watchHeartbeatMs / TURNS);
    return () => {
      turn?.delete(wire);
      if (this.#turns.some(({ size }) => size > 0)) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  /** Whoever leaves too much of it unread is not waited for. */
  #give(wire: Writable, text: Buffer): void {
    if (wire.writableEnded || wire.destroyed) return;
    const socket = socketOf(wire);
    socket.write(text);
    if (socket.writableLength > this.#bounds.watchBufferBytes) cutWire(wire);
  }
}

/** A reply that waits for the one before it on its connection has no socket yet. */
function socketOf(wire: Writable | ServerResponse): Writable {
  return "socket" in wire && wire.socket !== null ? wire.socket : wire;
}

/** By which a reader goes on where they were. */
function idOf(event: ToldEvent): number {
  return "seq" in event ? event.seq : event.revision;
}

function shown(event: ToldEvent, view: EventView): Partial<ToldEvent> {
  if (view === "whole" || "seq" in event) return event;
  const { type, etag, lastModified, skipped, final } = event;
  return { type, etag, lastModified, ...(skipped !== undefined && { skipped }), ...(final !== undefined && { final }) };
}
