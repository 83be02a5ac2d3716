import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Asked } from "./asked.ts";
import type { Failed } from "./errors.ts";
import type { Judge } from "./judge.ts";
import { type Answer, groupByPath, type Served } from "./mount.ts";
import { PathIndex, type PathMatch } from "./path-index.ts";

interface Judging {
  readonly judge: Judge;
  readonly failed: Failed;
}

interface DispatchParts extends Judging {
  readonly served: readonly Served[];
  /** Whether anybody's word is taken for whom a request comes from. */
  readonly believesProxies: boolean;
}

type Methods = ReadonlyMap<string, Answer>;

/** A path that means what it says: no query, nothing encoded. */
const PLAIN = /^[A-Za-z0-9_./~-]+$/;
const NO_QUERY = Object.freeze(Object.create(null) as Record<string, unknown>);

/**
 * Goes to a route's own function without the router, which costs more than all that most routes do. It decides nothing: a request with a
 * plain path is judged and answered by the very functions that Express calls, in the same order. What it has no route for, and what needs
 * reading (a query, an encoded path, a proxy's word), is Express's.
 */
export class Dispatch {
  readonly #parts: DispatchParts;
  readonly #routes: RequestListener;
  readonly #paths: PathIndex<Methods>;

  constructor(parts: DispatchParts, routes: RequestListener) {
    this.#parts = parts;
    this.#routes = routes;
    this.#paths = new PathIndex([...groupByPath(parts.served)].map(([path, siblings]) => [path, methodsOf(siblings)] as const));
  }

  readonly handle: RequestListener = (request, response) => {
    const match = this.#find(request);
    const answer = match?.found.get(request.method ?? "");
    if (match === null || answer === undefined) this.#routes(request, response);
    else void answerJudged(this.#parts, asked(request, match.params), response, answer);
  };

  #find({ url = "", headers }: IncomingMessage): PathMatch<Methods> | null {
    if (!PLAIN.test(url)) return null;
    const isForwarded = headers["x-forwarded-for"] !== undefined || headers["x-forwarded-proto"] !== undefined;
    return this.#parts.believesProxies && isForwarded ? null : this.#paths.find(url);
  }
}

/** Answers a request that nothing is against, and tells what went wrong. */
export async function answerJudged({ judge, failed }: Judging, request: Asked, response: ServerResponse, answer: Answer): Promise<void> {
  try {
    if (judge(request, response)) await answer(request, response);
  } catch (error) {
    failed(error, request, response);
  }
}

/** As Express's router takes methods: what is read by GET is by HEAD too. */
function methodsOf(siblings: readonly Served[]): Methods {
  const methods = new Map(siblings.map(({ route, answer }) => [route.method.toUpperCase(), answer]));
  const get = methods.get("GET");
  return get === undefined ? methods : methods.set("HEAD", get);
}

/** What Express finds out of a request that nobody forwarded. */
export function asked(request: IncomingMessage, params: Asked["params"]): Asked {
  const { socket, url = "" } = request;
  const secure = (socket as Partial<TLSSocket>).encrypted === true;
  return Object.assign(request, { params, query: NO_QUERY, secure, ip: socket.remoteAddress, originalUrl: url });
}
