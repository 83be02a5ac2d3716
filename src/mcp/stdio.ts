import { once } from "node:events";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { isJSONRPCRequest, type JSONRPCMessage, type RequestId } from "@modelcontextprotocol/sdk/types.js";
import { createMcpServer, type ServerOptions } from "./server.ts";

/** Speaks MCP on standard input and output until the input ends, and answers what was asked until then. */
export async function serveStdio(options: ServerOptions): Promise<void> {
  const server = createMcpServer(options);
  const transport = new StdioServerTransport();
  const ended = once(process.stdin, "end");
  await server.connect(transport);
  const answered = watchAnswers(transport);
  await ended;
  await answered();
  await server.close();
}

/** Notes which requests are under way. What it returns waits until all have been answered, or called off. */
function watchAnswers(transport: StdioServerTransport): () => Promise<void> {
  const open = new Set<RequestId>();
  let whenAnswered = () => {};
  const close = (id: unknown) => {
    open.delete(id as RequestId);
    if (open.size === 0) whenAnswered();
  };
  const { onmessage: receive } = transport;
  transport.onmessage = (message) => {
    if (isJSONRPCRequest(message)) open.add(message.id);
    receive?.(message);
    if ("method" in message && message.method === "notifications/cancelled") close(message.params?.["requestId"]);
  };
  const send = transport.send.bind(transport);
  transport.send = async (message: JSONRPCMessage) => {
    await send(message);
    if (!("method" in message)) close(message.id);
  };
  return () =>
    new Promise((resolve) => {
      whenAnswered = resolve;
      if (open.size === 0) resolve();
    });
}
