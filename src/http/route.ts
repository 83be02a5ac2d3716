import { createHash, createHmac } from "node:crypto";
import * as z from "zod";
import type { Domain } from "../domain.ts";
import type { ErrorCode } from "../errors.ts";
import type { Caller, Once } from "../model.ts";
import type { JsonObject } from "../ports.ts";
import type { Principal } from "../tokens.ts";
import { type BodyBounds, type BodyOptions, SMALL_BODY } from "./json.ts";
import type { Reply } from "./reply.ts";
import { checkRights, type OperationId } from "./rights.ts";
import { validate } from "./validate.ts";

/**
 * How a route is declared: one object that says what it takes, what it answers and which errors it has, beside the function
 * that does it. `mount.ts` serves it and `openapi.ts` documents it, both from this object alone.
 */

type Method = "get" | "post" | "put" | "patch" | "delete";

type Tag =
  | "Environments"
  | "State"
  | "Config"
  | "Flags"
  | "Promotion"
  | "Versions"
  | "Comparison"
  | "Deployments"
  | "Live updates"
  | "Policy"
  | "Audit"
  | "Webhooks"
  | "Git"
  | "Access"
  | "Operations";

export interface ResponseFacts {
  readonly description: string;
  /** Named (`id`) and with an example, both in its metadata. Without one, there is no body. */
  readonly schema?: z.ZodType;
  readonly contentType?: string;
  /** Headers that this reply has beside those of every reply. */
  readonly headers?: readonly ("Location" | "Set-Cookie" | "Audit-Signature")[];
}

/** What does not depend on the route's types. */
interface RouteFacts {
  readonly method: Method;
  /** As Express writes it: `/env/:project`. */
  readonly path: string;
  /** What `rights.ts` says it needs. */
  readonly operationId: OperationId;
  readonly summary: string;
  readonly description: string;
  readonly tag: Tag;
  /** By status: successes, and what else is not an error object. */
  readonly responses: Readonly<Record<number, ResponseFacts>>;
  /** Those that are the route's own; what every route can answer is added to the document by itself. */
  readonly errors: readonly ErrorCode[];
  /** `read`: has an ETag and takes If-None-Match. `write`: takes If-Match. */
  readonly conditional?: "read" | "write";
  /** Answers with server-sent events, and takes Last-Event-ID. */
  readonly events?: true;
  /** While the store cannot be reached, what was last known may be shown, to tokens that were last known to be valid. */
  readonly mayBeStale?: true;
  /** Takes an Idempotency-Key: the same request sent again has the first one's answer. */
  readonly idempotent?: true;
  /** In place of `body`: what a signed one says. The handler reads it, since nothing is made of it before its signature is known to be good. */
  readonly signedBody?: z.ZodType;
  /** A request without a body is one with `{}`. */
  readonly emptyBody?: true;
  /** Errors are told as OFREP tells them. */
  readonly errorShape?: "ofrep";
  /** `SMALL_BODY` where not given. */
  readonly bodyBounds?: BodyBounds;
}

/** How a request came in. */
export interface Connection {
  /** Whether it was encrypted on its way, a trusted proxy's word included. */
  readonly secure: boolean;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  /**
   * Judges the request's token again: after a wait it may have been revoked.
   * @returns when it ends, in milliseconds since 1970; `null` where it does not end by itself
   * @throws unauthorized
   */
  admitAgain(): Promise<number | null>;
  /** The token or session as it was shown: connections that showed the same one are judged together. */
  readonly credential: string;
  /** The newest event that whoever reads events again has. */
  readonly lastEventId: string | null;
  /** What to add to the address of a watch, for whoever cannot send a header there; `null` where the caller cannot have such an address. */
  streamQuery(holder: string, project: string, env: string): Promise<string | null>;
  /** A header that the request has once. */
  header(name: string): string | null;
  /** The body as it was sent, on a route whose `signedBody` it is. @throws unsupported_media_type, too_large, invalid_json */
  readBytes(bounds: BodyBounds): Promise<Buffer>;
  /** The secret in the session's cookie. */
  readonly session: string | null;
  /** Tells who shows a token, as for any other request: what is wrong counts against the sender's address. */
  signIn(token: string): Promise<Principal>;
}

/** What a handler is given, all of it checked. */
interface Context<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  readonly domain: Domain;
  readonly connection: Connection;
  /** The tags of `If-Match` on a route with `conditional: "write"`; `null` where the request gives none. */
  readonly ifMatch: readonly string[] | null;
}

interface RouteSpec<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> extends RouteFacts {
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  handler(context: Context<z.output<Params>, z.output<Query>, z.output<Body>>): Promise<Reply> | Reply;
}

/** A request before its parts are checked. The body is read last, once the rest is known to be good. */
interface RawRequest extends Pick<Context<unknown, unknown, unknown>, "caller" | "connection" | "domain" | "ifMatch"> {
  readonly params: unknown;
  readonly query: unknown;
  /** The token, the route and the idempotency key, where the request has one. */
  readonly once: string | null;
  readBody(bounds: BodyBounds, options: BodyOptions): Promise<JsonObject>;
}

export interface Route extends RouteFacts {
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType | null;
  /** Checks all parts of a request and does what it asks for. @throws invalid_request, forbidden, and so on */
  reply(request: RawRequest): Promise<Reply>;
}

const NOTHING = z.strictObject({});

/**
 * What a request with an idempotency key asks for: repeated, it must ask for the same. The body may hold secrets, so that
 * its hash is keyed: whoever reads the store cannot try out values without the idempotency key, which is not kept.
 */
function onceFor(key: string, params: unknown, query: object, body: unknown): Once {
  const asked = Object.keys(query).length === 0 ? [params, body] : [params, body, query];
  return {
    id: createHash("sha256").update(key).digest("hex"),
    content: createHmac("sha256", key).update(JSON.stringify(asked)).digest("hex"),
  };
}

/**
 * Declares a route. Its handler is given the body as it was parsed, not zod's copy of it: a copy of 64 MiB costs, and request
 * schemas neither convert nor fill in, so that both are the same.
 */
export function route<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType>(
  spec: RouteSpec<Params, Query, Body>,
): Route {
  const { handler, params = NOTHING, query = NOTHING, body = null, ...facts } = spec;
  return {
    ...facts,
    params,
    query,
    body: body ?? facts.signedBody ?? null,
    async reply(request) {
      const checkedParams = validate(params, request.params, "path") as z.output<Params>;
      const checkedQuery = validate(query, request.query, "query") as z.output<Query>;
      // What they name is authorized before the body is read.
      checkRights(request.caller, facts.operationId, { path: checkedParams, query: checkedQuery });
      const read =
        body === null ? undefined : await request.readBody(facts.bodyBounds ?? SMALL_BODY, { mayBeEmpty: facts.emptyBody === true });
      if (body !== null) {
        validate(body, read, "body");
        checkRights(request.caller, facts.operationId, { body: read });
      }
      const { connection, domain, ifMatch } = request;
      const caller =
        request.once === null ? request.caller : { once: onceFor(request.once, checkedParams, checkedQuery, read), ...request.caller };
      return handler({ params: checkedParams, query: checkedQuery, body: read as z.output<Body>, caller, connection, domain, ifMatch });
    },
  };
}
