import type { IncomingMessage, ServerResponse } from "node:http";
import { LIMITS } from "../limits.ts";
import type { ProjectEvent } from "../project-watches.ts";
import type { HeadEvent } from "../watches.ts";

type ToldEvent = HeadEvent | ProjectEvent;

/** Events as a reader gets them: all that is told of a head, or, for whoever may only evaluate, that there is a new one. */
export type EventView = "whole" | "bare";

export interface EventSource {
  readonly view: EventView;
  /** @returns what ends it */
  watch(watcher: { tell(events: readonly ToldEvent[]): void; end(): void }): () => void;
}

export type EventBounds = Readonly<Record<"watchReturnMs" | "watchHeartbeatMs" | "watchBufferBytes", number>>;

const SIGN_OF_LIFE = Buffer.from(":\n\n");
/** Turns in which everybody is given a sign of life, so that they are not all given it at once. */
const TURNS = 15;

/**
 * Server-sent events (WHATWG HTML §9.2). What all are told is written down once and goes to each socket as it is, past Node's framing
 * of replies, so that a reply ends with its connection. Whoever does not read is cut off.
 */
export class EventStreams {
  readonly #turns: readonly Set<ServerResponse>[] = Array.from({ length: TURNS }, () => new Set());
  readonly #texts = { whole: new WeakMap<readonly ToldEvent[], Buffer>(), bare: new WeakMap<readonly ToldEvent[], Buffer>() };
  readonly #bounds: EventBounds;
  #open = 0;
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(bounds: EventBounds = LIMITS) {
    this.#bounds = bounds;
  }

  /** Answers with events until the reader leaves or the source ends. */
  send(request: IncomingMessage, response: ServerResponse, source: EventSource): void {
    response.setHeader("content-type", "text/event-stream; charset=utf-8");
    response.setHeader("cache-control", "no-store");
    // nginx would gather what is to be told now.
    response.setHeader("x-accel-buffering", "no");
    response.setHeader("connection", "close");
    response.useChunkedEncodingByDefault = false;
    if (request.method === "HEAD" || response.destroyed) {
      response.end();
      return;
    }
    response.write(`retry: ${Math.floor(this.#bounds.watchReturnMs * (1 + 2 * Math.random()))}\n\n`);
    const forget = this.#keepAlive(response);
    const leave = source.watch({
      tell: (events) => this.#give(response, this.#textOf(events, source.view)),
      end: () => void response.end(),
    });
    response.once("close", () => {
      leave();
      forget();
    });
  }

  #textOf(events: readonly ToldEvent[], view: EventView): Buffer {
    const known = this.#texts[view].get(events);
    if (known !== undefined) return known;
    const text = Buffer.from(events.map((event) => `id: ${idOf(event)}\ndata: ${JSON.stringify(shown(event, view))}\n\n`).join(""));
    this.#texts[view].set(events, text);
    return text;
  }

  #keepAlive(response: ServerResponse): () => void {
    const turn = this.#turns[this.#open++ % TURNS];
    turn?.add(response);
    this.#timer ??= setInterval(() => {
      for (const reader of this.#turns[this.#turn++ % TURNS] ?? []) this.#give(reader, SIGN_OF_LIFE);
    }, this.#bounds.watchHeartbeatMs / TURNS);
    return () => {
      turn?.delete(response);
      if (this.#turns.some(({ size }) => size > 0)) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  /** Whoever leaves too much of it unread is not waited for. */
  #give(response: ServerResponse, text: Buffer): void {
    const { socket } = response;
    // A reply that waits for the one before it on its connection has no socket yet.
    if (socket === null) response.write(text);
    else socket.write(text);
    if ((socket ?? response).writableLength > this.#bounds.watchBufferBytes) response.destroy();
  }
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
