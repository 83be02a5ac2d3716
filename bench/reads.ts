import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { listeningUrl } from "../scripts/demo/engine-process.ts";
import { databasePath } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { alternate, perSecond, type Row, ratioRow, timesFaster } from "./measure.ts";
import { end, here, type ServerProcess, spawnNode, startEngine } from "./processes.ts";
import { rawLoad } from "./raw-load.ts";

const CLIENTS = 32;
const READS_A_TURN = 20_000;
const TURNS = 5;
const ADMIN = "admin-token-of-the-bench";
const UNLIMITED = { RATE_LIMIT_PER_TOKEN: "1000000", RATE_LIMIT_PER_ADDRESS: "1000000" };

/** Reads of an environment's config with a token, over HTTP, against a bare Node server that sends the same bytes and headers. */
export async function reads(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const engine = await startEngine({
      STORE_URL: `sqlite:${databasePath(folder)}`,
      ENV_MANAGER_AUTH: "on",
      ENV_MANAGER_ADMIN_TOKEN: ADMIN,
      ...UNLIMITED,
    });
    const token = await prepare(engine);
    const path = "/env/bench/production/config";
    const plain = `GET ${path} HTTP/1.1\r\nHost: ${new URL(engine.url).host}\r\nAuthorization: Bearer ${token}\r\nAccept: */*\r\n`;
    const { etag = "" } = (await ask(engine, path, token)).headers;
    const all = await askForFlags(engine, token);
    const rows = [
      await against(engine, "config read with a token, 200", `${plain}\r\n`, await ask(engine, path, token), 0.9),
      await against(
        engine,
        "config read with a token, 304",
        `${plain}If-None-Match: ${etag}\r\n\r\n`,
        await ask(engine, path, token, { "if-none-match": etag }),
        0.85,
      ),
      await against(engine, "OFREP bulk evaluation, 20 flags, 200", flagsRequest(engine, token), all, null),
    ];
    await engine.stop();
    return rows;
  });
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly raw: readonly string[];
  readonly body: string;
}

async function against(engine: ServerProcess, work: string, sent: string, answer: Answer, goal: number | null): Promise<Row> {
  const bare = await startBare(answer);
  const load = { clients: CLIENTS, amount: READS_A_TURN, request: sent };
  const pairs = await alternate(
    TURNS,
    () => rawLoad(engine.url, load),
    () => rawLoad(bare.url, load),
  );
  await bare.stop();
  return ratioRow({
    work: `${work}, ${answer.body.length} bytes, ${CLIENTS} clients`,
    subject: "engine",
    baseline: "bare node:http, same bytes and headers",
    pairs,
    unit: perSecond,
    ratio: timesFaster,
    goal: goal === null ? null : { atLeast: goal },
  });
}

const FLAGS = "/ofrep/v1/evaluate/flags?project_id=bench&env=production";
const CONTEXT = JSON.stringify({ context: { targetingKey: "user-1", plan: "pro" } });

/** All flags for one context, as OpenFeature's providers ask for them. */
function flagsRequest({ url }: ServerProcess, token: string): string {
  const headers = `Host: ${new URL(url).host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
  return `POST ${FLAGS} HTTP/1.1\r\n${headers}Content-Length: ${CONTEXT.length}\r\n\r\n${CONTEXT}`;
}

async function askForFlags({ url }: ServerProcess, token: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return answerTo(request(url + FLAGS, { method: "POST", headers }).end(CONTEXT));
}

/** All but what Node adds by itself. */
async function startBare({ status, raw, body }: Answer): Promise<ServerProcess> {
  const headers: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (!/^(date|connection|keep-alive)$/i.test(raw[i] ?? "")) headers.push(raw[i] ?? "", raw[i + 1] ?? "");
  }
  const child = spawnNode([here("bare-same.mjs"), JSON.stringify({ status, headers, body })], process.env);
  if (child.stdout === null) throw new Error("the bare server has no output");
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { url: listeningUrl(line) ?? "", pid: child.pid ?? 0, stop: () => end(child, "SIGKILL") };
}

/** 20 vars and 20 flags, and a token that may read them. */
async function prepare({ url }: ServerProcess): Promise<string> {
  const send = async (method: string, path: string, body: object): Promise<{ readonly token?: string }> => {
    const headers = { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" };
    const reply = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
    if (!reply.ok) throw new Error(await reply.text());
    return (await reply.json()) as { readonly token?: string };
  };
  const twenty = <Value>(prefix: string, value: (n: number) => Value) =>
    Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`${prefix}_${n}`, value(n)]));
  const env_variables = twenty("VAR", (n) => ({ value: `https://service-${n}.example.com`, secret: false }));
  await send("POST", "/env/create", { project_id: "bench", new_environment: "production", env_variables });
  await send("PATCH", "/env/bench/production/config", { flags: twenty("flag", (n) => n % 2 === 0) });
  const { token } = await send("POST", "/tokens", { name: "bench", role: "reader", projects: ["bench"] });
  return token ?? "";
}

function ask({ url }: ServerProcess, path: string, token: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return answerTo(request(url + path, { headers: { authorization: `Bearer ${token}`, ...headers } }).end());
}

function answerTo(asked: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    asked.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.once("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, raw: response.rawHeaders, body }));
    });
    asked.once("error", reject);
  });
}
