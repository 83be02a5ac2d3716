import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { expect, test } from "vitest";
import { TOOLS } from "../../src/mcp/tools.ts";
import { setScene } from "../cli/scene.ts";
import { ENVM, PROJECT, useCli } from "../cli/support.ts";
import { blocks, code, read, rows, section } from "./support.ts";

const PAGE = read("docs/mcp.md");
const context = useCli();

interface Settings {
  readonly mcpServers: Readonly<
    Record<string, { command?: string; args?: string[]; env?: Record<string, string>; url?: string; headers?: Record<string, string> }>
  >;
}

test("the table of tools is the one that there is, and says which change something", () => {
  const told = rows(section(PAGE, "## The tools")).map(([name, , asks = ""]) => [
    code(name),
    [...asks.matchAll(/`(\w+)`/g)].map(([, id]) => id),
  ]);
  expect(told).toEqual(TOOLS.map(({ name, uses }) => [name, uses]));
  const changing = TOOLS.filter(({ input }) => "confirm" in input.shape).map(({ name }) => name);
  expect(changing).toEqual(TOOLS.slice(-6).map(({ name }) => name));
  expect(PAGE).toContain("The last six change something");
});

test("the token that the page makes, in both of its settings, lets an assistant look", async () => {
  const { engine, cli } = context;
  await setScene(engine, PROJECT, "usual");
  mkdirSync(join(cli.home, "bin"));
  symlinkSync(ENVM, join(cli.home, "bin", "envm"));
  const [command = ""] = blocks(section(PAGE, "## A token of its own"), "sh");
  const { code: ended, out } = await cli.shell(command.trim());
  expect(ended).toBe(0);
  const mine = (text: string) => text.replaceAll("envm_…", out.trim()).replaceAll("http://127.0.0.1:4006", engine.url);
  const settings = blocks(PAGE, "json").map((text) => JSON.parse(mine(text)) as Settings);
  const transports = settings.map(({ mcpServers: { "environment-manager": server } }) =>
    server?.url === undefined
      ? new StdioClientTransport({
          command: server?.command ?? "",
          args: server?.args ?? [],
          env: { PATH: `${join(cli.home, "bin")}:${process.env["PATH"]}`, ...server?.env },
          cwd: cli.folder,
          stderr: "ignore",
        })
      : (new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers: server.headers ?? {} } }) as Transport),
  );
  expect(transports).toHaveLength(2);
  for (const transport of transports) {
    const client = new Client({ name: "assistant", version: "1" });
    await client.connect(transport);
    const looked = await client.callTool({ name: "compare", arguments: { left: "staging", right: "prod" } });
    expect(looked).toMatchObject({ structuredContent: { left: { env: "staging" }, right: { env: "production" } } });
    const changed = await client.callTool({ name: "rollback", arguments: { env: "prod", to: 1 } });
    expect(changed).toMatchObject({ isError: true, structuredContent: { code: "forbidden" } });
    await client.close();
  }
});
