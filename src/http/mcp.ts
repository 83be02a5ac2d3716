import type { RequestListener } from "node:http";
import type { Express, Request } from "express";
import { AppError } from "../errors.ts";
import type { Gate } from "./auth.ts";
import { Inside } from "./inside.ts";
import { readJsonBody, SMALL_BODY } from "./json.ts";
import { requestIdOf } from "./mount.ts";

interface McpParts {
  readonly gate: Gate;
  /** Whether nobody needs a token. */
  readonly open: boolean;
  readonly version: string;
  /** What answers every request to the engine. */
  readonly listener: () => RequestListener;
}

/** Headers of a request that the protocol looks at. */
const LOOKED_AT = ["accept", "content-type", "mcp-protocol-version"] as const;

/**
 * `/mcp`: the tools for assistants, by the streamable HTTP transport of the Model Context Protocol. It is no second door: each tool asks the
 * engine's routes as whoever sent the message, from their address and with their token, through everything that stands before a route.
 */
export function mountMcp(app: Express, { gate, open, version, listener }: McpParts): void {
  let inside: Inside | undefined;
  app.post("/mcp", async (request, response) => {
    const requestId = requestIdOf(response);
    await gate.admit(request, requestId);
    if (!open && request.headers.authorization === undefined) throw new AppError("unauthorized", { reason: NO_TOKEN });
    const message = await readJsonBody(request, SMALL_BODY, { mayBeEmpty: false });
    const { signal } = gate.connection(request, response);
    inside ??= new Inside(listener());
    const { answerMcp } = await import("../mcp/http.ts");
    const asked = { headers: headersOf(request), message, signal, fetch: inside.fetchFor(request, requestId) };
    const reply = await answerMcp(asked, version);
    if (reply === null) return;
    response.setHeader("cache-control", "no-store");
    if (reply.contentType !== null) response.setHeader("content-type", reply.contentType);
    response.status(reply.status).end(reply.text);
  });
  // No stream that the engine begins, and no session to end: which the protocol says by this status.
  app.all("/mcp", async (request, response) => {
    await gate.admit(request, requestIdOf(response));
    throw new AppError("method_not_allowed", { details: { allow: ["POST"] } });
  });
}

/** A browser's session is no token: assistants show one of their own. */
const NO_TOKEN = "A session is no token, and /mcp takes tokens alone.";

function headersOf({ headers }: Request): Record<string, string> {
  return Object.fromEntries(LOOKED_AT.flatMap((name) => (typeof headers[name] === "string" ? [[name, headers[name]]] : [])));
}
