import { expect, test } from "vitest";
import { TOOLS } from "../../src/mcp/tools.ts";
import { useCli } from "../cli/support.ts";
import { Assistant } from "./support.ts";

const context = useCli();

test("both ways offer the same tools, each with what it takes and what it may do", async () => {
  const assistants = [await Assistant.overStdio(context.cli), await Assistant.overHttp(context.engine)];
  const [overStdio, overHttp] = await Promise.all(assistants.map(async ({ client }) => (await client.listTools()).tools));
  expect(overHttp).toEqual(overStdio);
  expect(overHttp?.map(({ name }) => name)).toEqual(TOOLS.map(({ name }) => name));
  for (const { inputSchema, description, title, annotations } of overHttp ?? []) {
    expect(inputSchema).toMatchObject({ type: "object", additionalProperties: false });
    expect([description, title].every(Boolean)).toBe(true);
    const isChange = inputSchema.properties?.["confirm"] !== undefined;
    expect(annotations).toMatchObject({ readOnlyHint: !isChange, openWorldHint: false });
  }
  expect(assistants.map(({ client }) => client.getServerVersion()?.name)).toEqual(["environment-manager", "environment-manager"]);
  await Promise.all(assistants.map((assistant) => assistant.close()));
});

test("no tool asks a route that reveals, approves, or hands out access", () => {
  const uses = TOOLS.flatMap((tool) => tool.uses);
  const kept = [
    "revealSecrets",
    "getRuntime",
    "approvePromotion",
    "rejectPromotion",
    "createToken",
    "rotateToken",
    "replacePolicy",
    "openSession",
  ];
  expect(uses.filter((operation) => kept.includes(operation))).toEqual([]);
});

test("`envm mcp` answers what was asked before its input ended, and then ends", async () => {
  const messages = [
    {
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } },
    },
    { jsonrpc: "2.0", method: "notifications/initialized" },
    { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "list_projects", arguments: {} } },
  ];
  const input = messages.map((message) => `${JSON.stringify(message)}\n`).join("");
  const { code, out, err } = await context.cli.run(["mcp"], { input });
  expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining(context.engine.url) });
  const answers = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: number });
  expect(answers.map(({ id }) => id)).toEqual([1, 2]);
});

test("`envm mcp` says what is wrong where no engine answers, and goes on", async () => {
  const assistant = await Assistant.overStdio(context.cli, { ENVM_URL: "http://127.0.0.1:1" });
  const said = await assistant.call("list_projects");
  expect(said).toMatchObject({ isError: true, data: { code: "connection_failed" } });
  expect((await assistant.client.listTools()).tools.length).toBe(TOOLS.length);
  await assistant.close();
});
