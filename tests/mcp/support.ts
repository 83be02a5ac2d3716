import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { type Cli, ENVM, ROOT_TOKEN } from "../cli/support.ts";
import type { Engine } from "../support/engine.ts";

/** What a tool said: its words, and the engine's reply. */
export interface Said {
  readonly isError: boolean;
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** An assistant's program: the protocol's own client. */
export class Assistant {
  readonly client = new Client({ name: "assistant", version: "1.0.0" });
  readonly #transport: Transport;

  private constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Starts `envm mcp`, as an assistant's program does. */
  static async overStdio(cli: Cli, env: Readonly<Record<string, string>> = {}): Promise<Assistant> {
    const environment = { ...cli.environment, ENVM_PROJECT: "", ...env };
    return Assistant.#connected(
      new StdioClientTransport({ command: process.execPath, args: [ENVM, "mcp"], cwd: cli.folder, env: environment, stderr: "ignore" }),
    );
  }

  /** Asks `/mcp` of an engine. */
  static async overHttp({ url }: Pick<Engine, "url">, token: string = ROOT_TOKEN): Promise<Assistant> {
    const headers = { authorization: `Bearer ${token}` };
    // The protocol's own types do not go with exactOptionalPropertyTypes.
    return Assistant.#connected(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }) as Transport);
  }

  static async #connected(transport: Transport): Promise<Assistant> {
    const assistant = new Assistant(transport);
    await assistant.client.connect(assistant.#transport);
    return assistant;
  }

  async call(name: string, given: Readonly<Record<string, unknown>> = {}): Promise<Said> {
    const { content, isError, structuredContent } = await this.client.callTool({ name, arguments: given });
    const [first] = content as readonly { readonly type: string; readonly text: string }[];
    return { isError: isError === true, text: first?.text ?? "", data: (structuredContent ?? {}) as Readonly<Record<string, unknown>> };
  }

  /** As it should be used: a plan first, and then, with its id, exactly that. */
  async confirmed(name: string, given: Readonly<Record<string, unknown>>): Promise<{ readonly plan: Said; readonly done: Said }> {
    const plan = await this.call(name, given);
    if (plan.isError) throw new Error(plan.text);
    return { plan, done: await this.call(name, { ...given, plan_id: plan.data["plan_id"], confirm: true }) };
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}

/** Changes something over the API. */
export async function done<Body = Readonly<Record<string, unknown>>>(
  engine: Engine,
  path: string,
  body: object,
  method: "POST" | "PUT" | "PATCH" = "POST",
): Promise<Body> {
  const reply = await engine.request<Body>(method, path, body);
  if (reply.status >= 300) throw new Error(`${method} ${path} answered ${reply.status}: ${reply.text}`);
  return reply.body;
}

/** A platform in `development` alone, at v3.1.0, that was v2.9.0 before. */
export async function platform(engine: Engine, project: string): Promise<void> {
  await done(engine, "/env/create", {
    project_id: project,
    new_environment: "development",
    env_variables: { API_URL: "https://dev.example.com" },
  });
  await done(engine, `/env/${project}/development/state`, { set: { "flows/welcome": { steps: 1 } }, version: "v2.9.0" }, "PATCH");
}

export async function nextVersion(engine: Engine, project: string): Promise<void> {
  const set = { "flows/welcome": { steps: 2 }, "entities/Customer": { fields: {} } };
  await done(engine, `/env/${project}/development/state`, { set, version: "v3.1.0" }, "PATCH");
}
