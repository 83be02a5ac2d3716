import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { createClient, type Fetch } from "../sdk/index.ts";
import { createMcpServer } from "./server.ts";

interface McpRequest {
  /** Those that the protocol looks at. */
  readonly headers: Readonly<Record<string, string>>;
  /** One message of JSON-RPC, parsed. */
  readonly message: unknown;
  /** Aborted when whoever asked is gone. */
  readonly signal: AbortSignal;
  /** Asks the engine's routes as whoever asked. */
  readonly fetch: Fetch;
}

interface McpReply {
  readonly status: number;
  readonly contentType: string | null;
  readonly text: string;
}

/**
 * Answers one message of the streamable HTTP transport, with JSON. Nothing is kept between two of them: there are no sessions.
 * @returns `null` where whoever asked is gone
 */
export async function answerMcp({ headers, message, signal, fetch }: McpRequest, version: string): Promise<McpReply | null> {
  if (signal.aborted) return null;
  const client = createClient({ url: "http://engine", fetch, retries: 0 });
  const server = createMcpServer({ client, project: null, version });
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
  const gone = new Promise<null>((resolve) => signal.addEventListener("abort", () => resolve(null), { once: true }));
  try {
    await server.connect(transport);
    // The address is not looked at: who may ask was judged before.
    const request = new Request("http://engine/mcp", { method: "POST", headers: { ...headers } });
    const response = await Promise.race([transport.handleRequest(request, { parsedBody: message }), gone]);
    return response && { status: response.status, contentType: response.headers.get("content-type"), text: await response.text() };
  } finally {
    // Calls that are under way are told to stop.
    await server.close();
  }
}
