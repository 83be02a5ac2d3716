import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * A Validation engine as its contract has it, in a process of its own: `POST /validation/check {blueprint}`. It finds a flow
 * wrong where one of its actions is called `wrong`, and warns of one called `odd`. `PUT /behaviour` makes it faulty.
 */

interface Blueprint {
  readonly actions?: readonly { readonly name: string }[];
}

export type Behaviour = "well" | "slow" | "nothing" | "500" | "garbage" | "half" | "redirect" | "huge" | "contradiction";

let behaviour: Behaviour = "well";
/** Answers that are slow: they come with the next behaviour. */
const held = new Set<() => void>();
const asked: unknown[] = [];

const server = createServer((request, response) => {
  void answer(request, response);
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await read(request);
  if (request.url === "/behaviour") {
    behaviour = (JSON.parse(body) as { behaviour: Behaviour }).behaviour;
    asked.length = 0;
    for (const release of held) release();
    held.clear();
    send(response, 200, {});
    return;
  }
  if (request.url === "/asked") send(response, 200, asked);
  else if (request.method !== "POST" || request.url !== "/validation/check") send(response, 404, { error: "no such route" });
  else check(body, response);
}

function check(body: string, response: ServerResponse): void {
  const { blueprint, ...others } = JSON.parse(body) as { blueprint: Blueprint };
  if (Object.keys(others).length > 0) {
    send(response, 422, { error: "unknown fields" });
    return;
  }
  asked.push(blueprint);
  if (behaviour === "slow") held.add(() => judge(blueprint, response));
  else if (behaviour === "well") judge(blueprint, response);
  else misbehave(response);
}

function judge(blueprint: Blueprint, response: ServerResponse): void {
  const faults = (name: string, reason: string) =>
    (blueprint.actions ?? []).flatMap((action, index) => (action.name === name ? [{ field: `actions[${index}]`, reason }] : []));
  const errors = faults("wrong", "there is no such action");
  send(response, errors.length === 0 ? 200 : 400, { valid: errors.length === 0, errors, warnings: faults("odd", "is not used any more") });
}

function misbehave(response: ServerResponse): void {
  if (behaviour === "500") send(response, 500, { error: "out of order" });
  else if (behaviour === "garbage") response.writeHead(200, JSON_TYPE).end("<html>valid</html>");
  else if (behaviour === "redirect") response.writeHead(302, { location: "/elsewhere" }).end();
  else if (behaviour === "huge") response.writeHead(200, JSON_TYPE).end(`{"valid":true,"errors":[],"filler":"${"x".repeat(10_000_000)}"}`);
  else if (behaviour === "contradiction")
    send(response, 200, { valid: true, errors: [{ field: "trigger", reason: "is missing" }], warnings: [] });
  else if (behaviour === "half") {
    response.writeHead(200, { ...JSON_TYPE, "content-length": "100" });
    response.write('{"valid":true,');
    setImmediate(() => response.destroy());
  }
  // Otherwise nothing, ever.
}

const JSON_TYPE = { "content-type": "application/json" };

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })}\n`);
});
