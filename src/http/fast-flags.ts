import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { allows } from "../access.ts";
import type { ReadyFlags } from "../evaluation.ts";
import { SYSTEM_PARTITION } from "../keys.ts";
import type { Environment } from "../model.ts";
import type { JsonObject } from "../ports.ts";
import type { Principal } from "../tokens.ts";
import { noneMatchHits, quoteTag } from "./etag.ts";
import type { FastDoor, FastLaneParts } from "./fast-door.ts";
import { HeaderForm } from "./header-form.ts";
import { hasGoodBody, isBodyHere, readJsonBodyAhead, SMALL_BODY } from "./json.ts";
import { bulkOf, type EnvironmentQuery, environmentOf, type Place } from "./ofrep.ts";
import { OF_EVALUATIONS, type PlainHeaders } from "./raw-headers.ts";
import { requestIdFor } from "./ready-reply.ts";

/** A question for all flags that is as plain as can be. */
interface PlainQuestion {
  readonly query: EnvironmentQuery;
  readonly headers: PlainHeaders;
  /** Of `performance.now()`. */
  readonly start: number;
}

/** All that an answer needs but the context. */
interface Found {
  readonly caller: Principal;
  readonly place: Place;
  readonly head: Environment;
  readonly ready: ReadyFlags;
  /** What to add to the address of a watch. */
  readonly stream: string;
}

interface Answer {
  readonly tag: string;
  /** `null` where whoever asks has it already. */
  readonly text: string | null;
}

type Headers = ConstructorParameters<typeof HeaderForm>[1];
const VARIES: Headers = [["vary", "Origin"]];
const UNCHANGED: Headers = [
  ["etag", null],
  ["cache-control", "private, no-cache"],
];
const FOUND: Headers = [
  ["etag", null],
  ["cache-control", "no-store"],
  ["content-type", "application/json; charset=utf-8"],
  ["content-length", null],
];

const TARGET = /^\/ofrep\/v1\/evaluate\/flags(?:\?project_id=([A-Za-z0-9][A-Za-z0-9_-]{0,63})&env=([a-z0-9][a-z0-9_-]{0,62}))?$/;

/**
 * Answers what flags are for a context, to tokens that were seen before. Who asks, and whether they may, is known before the body is read;
 * where the body is no good, whoever says so gets to read it too.
 */
export class FastFlags {
  readonly #parts: FastLaneParts;
  readonly #door: FastDoor;
  readonly #found: HeaderForm;
  readonly #unchanged: HeaderForm;

  constructor(parts: FastLaneParts, door: FastDoor) {
    this.#parts = parts;
    this.#door = door;
    const shared = parts.settings.ofrepCorsOrigins.length > 0 ? VARIES : [];
    this.#found = new HeaderForm(200, [...shared, ...FOUND]);
    this.#unchanged = new HeaderForm(304, [...shared, ...UNCHANGED]);
  }

  /** `null` where the request is for the routes; else whether it was answered, or is for the routes after all. Never fails. */
  answer(request: IncomingMessage, response: ServerResponse): Promise<boolean> | null {
    const [target, project_id, env] = TARGET.exec(request.url ?? "") ?? [];
    if (target === undefined) return null;
    const headers = this.#door.headersOf(request, OF_EVALUATIONS);
    if (headers === null || !hasGoodBody(request, SMALL_BODY)) return null;
    const question = { query: { project_id, env }, headers, start: performance.now() };
    if (!this.#door.isWorthAsking(request, headers, question.start)) return null;
    return this.#answer(question, request, response).catch(() => false);
  }

  /** @throws what the routes say better */
  async #answer(question: PlainQuestion, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    // A store that does not answer is not waited for here: the routes may know what to show meanwhile.
    const { readIndex } = this.#parts.domain;
    const found = this.#known(request.socket, question) ?? (await readIndex.inTime(this.#look(request.socket, question)));
    if (found === null || !this.#door.admits(request, found.caller, performance.now())) return false;
    const isHere = isBodyHere(request);
    const answer = this.#evaluate(found, await readJsonBodyAhead(request, SMALL_BODY), question.headers.ifNoneMatch);
    // A body may take its time, in which a token ends, a preview does, others ask as often as they may, or whoever asks leaves.
    if (!isHere && !(await this.#isStill(found.caller, request.socket, question.headers))) return false;
    const now = performance.now();
    if (response.closed || !this.#parts.domain.heads.mayBeRead(found.head) || !this.#door.admits(request, found.caller, now)) return false;
    this.#door.take(request, found.caller, now);
    const status = this.#send(response, requestIdFor(question.headers.requestId), answer);
    this.#parts.metrics.observe("evaluateFlags", status, (performance.now() - question.start) / 1_000);
    return true;
  }

  /** Everything as of now; `null` where it takes a look at the store. @throws invalid_request */
  #known(socket: Socket, { query, headers, start }: PlainQuestion): Found | null {
    const { readIndex, heads, evaluations } = this.#parts.domain;
    const system = this.#door.isOpen ? 0 : readIndex.known(SYSTEM_PARTITION);
    const caller = system === null ? null : this.#door.callerAt(socket, headers, system);
    const place = this.#placeOf(caller, query);
    const revision = place === null ? null : readIndex.known(place.project);
    if (system === null || caller === null || place === null || revision === null) return null;
    const stream = this.#streamOf(caller, place, system);
    const head = heads.kept(place.project, place.env, revision);
    const ready = head === null ? null : evaluations.kept(place.project, head);
    if (stream === null || head === null || ready === null) return null;
    this.#door.confirm(caller, place, [system, revision], start);
    return { caller, place, head, ready, stream };
  }

  /** Everything as of a moment after the request began. */
  async #look(socket: Socket, { query, headers, start }: PlainQuestion): Promise<Found | null> {
    const { domain } = this.#parts;
    // Of which project the newest revision has to be known, is told by what was known of the token.
    const place = this.#placeOf(this.#door.callerAt(socket, headers, 0), query);
    if (place === null) return null;
    const [system = 0, revision = 0] = await domain.readIndex.confirm([SYSTEM_PARTITION, place.project]);
    await this.#door.renew(socket, headers, system);
    const caller = this.#door.callerAt(socket, headers, system);
    const { project, env } = this.#placeOf(caller, query) ?? {};
    if (caller === null || project !== place.project || env !== place.env) return null;
    const stream = this.#streamOf(caller, place, system);
    if (stream === null) return null;
    const head = domain.heads.kept(project, env, revision) ?? (await domain.heads.readable(project, env, "current")).value;
    this.#door.confirm(caller, place, [system, revision], start);
    return { caller, place, head, ready: await domain.evaluations.flags(project, head), stream };
  }

  /** Whether the token is that caller's still. */
  async #isStill(caller: Principal, socket: Socket, headers: PlainHeaders): Promise<boolean> {
    if (this.#door.isOpen) return true;
    const { readIndex } = this.#parts.domain;
    const system = readIndex.known(SYSTEM_PARTITION) ?? (await readIndex.inTime(readIndex.confirm([SYSTEM_PARTITION])))[0] ?? 0;
    return this.#door.callerAt(socket, headers, system) === caller;
  }

  /** @throws invalid_request */
  #placeOf(caller: Principal | null, query: EnvironmentQuery): Place | null {
    const place = caller === null ? null : environmentOf(caller, query);
    return caller !== null && place !== null && allows(caller.grants, "evaluate", place.project, place.env) ? place : null;
  }

  #streamOf(caller: Principal, { project, env }: Place, system: number): string | null {
    const { authentication } = this.#parts;
    if (authentication === null) return "";
    const ticket = authentication.ticketAt(caller, project, env, system);
    return ticket === null ? null : `?ticket=${ticket}`;
  }

  /** @throws invalid_context */
  #evaluate({ ready, stream, place }: Found, body: JsonObject, known: string | undefined): Answer {
    const { tag, write } = bulkOf(ready, body, stream, place);
    // `*` asks whether there is anything at all.
    const isKnown = known?.trim() !== "*" && noneMatchHits(known, tag);
    return { tag, text: isKnown ? null : write() };
  }

  /** The same bytes as `sendReply` sends. @returns the status */
  #send(response: ServerResponse, requestId: string, { tag, text }: Answer): number {
    if (text === null) {
      this.#unchanged.write(response, requestId, [quoteTag(tag)]);
      response.end();
      return 304;
    }
    const bytes = Buffer.byteLength(text);
    this.#found.write(response, requestId, [quoteTag(tag), String(bytes)]);
    // ASCII need not be encoded.
    response.end(text, bytes === text.length ? "latin1" : "utf8");
    return 200;
  }
}
