import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { allows } from "../access.ts";
import { SYSTEM_PARTITION } from "../keys.ts";
import type { Principal } from "../tokens.ts";
import { FastDoor, type FastLaneParts } from "./fast-door.ts";
import { FastFlags } from "./fast-flags.ts";
import { OF_READS, type PlainHeaders } from "./raw-headers.ts";
import { type Lane, ReadyReplies } from "./ready-replies.ts";
import { type ReadyReply, requestIdFor } from "./ready-reply.ts";

/** A read that is as plain as can be. */
interface PlainRead {
  readonly lane: Lane;
  readonly headers: PlainHeaders;
  /** Of `performance.now()`. */
  readonly start: number;
}

/**
 * Answers what machines ask thousands of times: plain reads of `config` and `active`, from bytes that are made once for each head, and all
 * flags for a context (`FastFlags`). It answers nothing but successes: what it does not take as a matter of course it leaves to the routes,
 * which judge it from the beginning, so that there is one place where anything is refused. Nothing is counted before it is sure to be
 * answered here.
 */
export class FastLane {
  readonly #parts: FastLaneParts;
  readonly #routes: RequestListener;
  readonly #door: FastDoor;
  readonly #replies: ReadyReplies;
  readonly #flags: FastFlags;

  constructor(parts: FastLaneParts, routes: RequestListener) {
    this.#parts = parts;
    this.#routes = routes;
    this.#door = new FastDoor(parts);
    this.#replies = new ReadyReplies(parts.domain);
    this.#flags = new FastFlags(parts, this.#door);
  }

  readonly handle: RequestListener = (request, response) => {
    if (request.method === "POST") {
      const answered = this.#flags.answer(request, response);
      if (answered === null) this.#routes(request, response);
      else void answered.then((isAnswered) => isAnswered || this.#routes(request, response));
      return;
    }
    const plain = this.#plain(request);
    if (plain === null) {
      this.#routes(request, response);
      return;
    }
    const { readIndex } = this.#parts.domain;
    const system = this.#door.isOpen ? 0 : readIndex.known(SYSTEM_PARTITION);
    const revision = readIndex.known(plain.lane.project);
    const { ready } = plain.lane;
    if (system !== null && revision !== null && ready !== null && ready.asOf >= revision) {
      const caller = this.#reader(request.socket, plain, system);
      if (caller !== null && this.#send(plain, ready, caller, request, response)) return;
    }
    if (this.#door.isWorthAsking(request, plain.headers, plain.start)) void this.#askFirst(plain, request, response);
    else this.#routes(request, response);
  };

  #plain(request: IncomingMessage): PlainRead | null {
    const { method, url = "" } = request;
    if (method !== "GET" && method !== "HEAD") return null;
    const lane = this.#replies.lane(url);
    const headers = lane === null ? null : this.#door.headersOf(request, OF_READS);
    return lane === null || headers === null ? null : { lane, headers, start: performance.now() };
  }

  /** Who asks, where that is known as of that revision of `_system`, and they may read. */
  #reader(socket: Socket, { lane, headers }: PlainRead, system: number): Principal | null {
    const caller = this.#door.callerAt(socket, headers, system);
    return caller !== null && allows(caller.grants, "read", lane.project, lane.env) ? caller : null;
  }

  #send({ lane, headers, start }: PlainRead, ready: ReadyReply, caller: Principal, request: IncomingMessage, response: ServerResponse) {
    const { domain, metrics } = this.#parts;
    if (!domain.heads.mayBeRead(ready.head) || !this.#door.admits(request, caller, start)) return false;
    this.#door.take(request, caller, start);
    const isHead = request.method === "HEAD";
    const status = ready.send(response, requestIdFor(headers.requestId), headers.ifNoneMatch, isHead);
    metrics.observe(lane.operation, status, (performance.now() - start) / 1_000);
    return true;
  }

  /** Has what is not known, or not as new as the request, looked up: those who wait for the same wait together. */
  async #askFirst(plain: PlainRead, request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A store that does not answer is not waited for here: the routes may know what to show meanwhile.
    const found = await this.#parts.domain.readIndex.inTime(this.#look(request.socket, plain)).catch(() => null);
    const isAnswered = found !== null && !response.closed && this.#send(plain, found.ready, found.caller, request, response);
    if (!isAnswered) this.#routes(request, response);
  }

  async #look(socket: Socket, plain: PlainRead): Promise<{ readonly ready: ReadyReply; readonly caller: Principal } | null> {
    const { lane, headers, start } = plain;
    const [system = 0, revision = 0] = await this.#parts.domain.readIndex.confirm([SYSTEM_PARTITION, lane.project]);
    await this.#door.renew(socket, headers, system);
    const caller = this.#reader(socket, plain, system);
    const ready = caller === null ? null : await this.#replies.make(lane, revision);
    if (caller === null || ready === null || ready.asOf < revision) return null;
    this.#door.confirm(caller, lane, [system, revision], start);
    return { ready, caller };
  }
}
