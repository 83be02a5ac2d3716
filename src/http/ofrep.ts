import { EVERY, hasRight } from "../access.ts";
import { AppError, type ErrorCode } from "../errors.ts";
import { evaluateAll, type ReadyFlags } from "../evaluation.ts";
import type { Caller } from "../model.ts";
import type { Json } from "../ports.ts";
import type { OfrepErrorReply } from "../schemas/ofrep.ts";
import type { Failure } from "./errors.ts";

/** Where OFREP is spoken: in its own shape of errors, with its own header for tokens, and to pages of other origins. */

const PATH = /^\/ofrep(?:\/|$)/;
const KEY = /^\/ofrep\/v1\/evaluate\/flags\/([^/?]+)/;

export function isOfrep(target: string): boolean {
  return PATH.test(target);
}

/** OFREP's word for an error of the engine's; those that are about the request's sender have none. */
const CODES: Partial<Record<ErrorCode, OfrepErrorReply["errorCode"]>> = {
  invalid_json: "PARSE_ERROR",
  unsupported_media_type: "PARSE_ERROR",
  invalid_context: "INVALID_CONTEXT",
};
const WITHOUT_CODE: ReadonlySet<number> = new Set([401, 403, 429]);

/** The same failure as OFREP tells it. */
export function ofrepFailure({ status, headers, body: { code, reason, fix_suggestion } }: Failure, target: string) {
  const key = keyIn(target);
  const missing = status === 404 && key !== null ? "FLAG_NOT_FOUND" : "GENERAL";
  const errorCode = status >= 500 || WITHOUT_CODE.has(status) ? undefined : (CODES[code as ErrorCode] ?? missing);
  const body: OfrepErrorReply = {
    ...(key !== null && errorCode !== undefined && { key }),
    ...(errorCode !== undefined && { errorCode }),
    errorDetails: `${reason} ${fix_suggestion}`,
  };
  return { status, headers, body };
}

function keyIn(target: string): string | null {
  const [, key] = KEY.exec(target) ?? [];
  if (key === undefined) return null;
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

export interface Place {
  readonly project: string;
  readonly env: string;
}

export interface EnvironmentQuery {
  readonly project_id?: string | undefined;
  readonly env?: string | undefined;
}

/**
 * The environment that a request is about: the one that it names, or the only one that its token reaches.
 * @throws invalid_request
 */
export function environmentOf({ grants }: Pick<Caller, "grants">, query: EnvironmentQuery): Place {
  if (query.project_id !== undefined && query.env !== undefined) return { project: query.project_id, env: query.env };
  const reached = grants.filter((grant) => hasRight(grant, "evaluate"));
  const pairs = reached.flatMap(({ projects, envs }) => projects.flatMap((project) => envs.map((env) => ({ project, env }))));
  const [first, ...others] = pairs;
  const isOne = first !== undefined && others.every(({ project, env }) => project === first.project && env === first.env);
  if (isOne && !first.project.includes(EVERY) && !first.env.includes(EVERY)) return first;
  throw new AppError("invalid_request", {
    reason: "The token reaches more than one environment, and the request names none.",
    fix: "Add ?project_id=…&env=… to the address, or use a token for one project and one environment alone.",
  });
}

/**
 * The reply to whoever asks for all flags; `write` gives it as JSON. `query`: what to add to the address of a watch.
 * @throws invalid_context
 */
export function bulkOf(ready: ReadyFlags, { context = null }: { readonly context?: Json | undefined }, query: string | null, place: Place) {
  const streams = eventStreams(place, query);
  const more = JSON.stringify(streams);
  const { tag, load, write } = evaluateAll(ready, context ?? {}, more);
  const { metadata } = ready.set;
  const shown = Object.keys(metadata).length === 0 ? {} : { metadata };
  return {
    tag,
    load: () => ({ flags: load(), ...shown, ...streams }),
    write: () => `{"flags":${write()}${furtherMembers(JSON.stringify(shown))}${furtherMembers(more)}}`,
  };
}

/** The members of an object behind others, as JSON. */
function furtherMembers(object: string): string {
  return object === "{}" ? "" : `,${object.slice(1, -1)}`;
}

/** Where to be told of changes; a page that is not looked at stops listening after a while. */
function eventStreams({ project, env }: Place, query: string | null) {
  if (query === null) return {};
  const requestUri = `/env/${project}/${env}/watch${query}`;
  return { eventStreams: [{ type: "sse", endpoint: { requestUri }, inactivityDelaySec: 120 }] };
}
