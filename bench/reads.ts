import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { listeningUrl } from "../scripts/demo/engine-process.ts";
import { type AuthorizedEngine, rawRequest, startAuthorized } from "./authorized.ts";
import { withFolder } from "./folders.ts";
import { alternate, inTurn, perSecond, type Row, ratioRow, timesFaster } from "./measure.ts";
import { end, here, type ServerProcess, spawnNode } from "./processes.ts";
import { RawLoad } from "./raw-load.ts";

const CLIENTS = 32;
const READS_A_TURN = 20_000;
const TURNS = 5;

/** All flags for one context, as OpenFeature's providers ask for them. */
const FLAGS = "/ofrep/v1/evaluate/flags?project_id=bench&env=production";
const CONTEXT = JSON.stringify({ context: { targetingKey: "user-1", plan: "pro" } });

/** Reads of an environment's config with a token, over HTTP, against a bare Node server that sends the same bytes and headers. */
export async function reads(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const engine = await startAuthorized(folder);
    const token = await prepare(engine);
    const path = "/env/bench/production/config";
    const authorization = { Authorization: `Bearer ${token}` };
    const { etag = "" } = (await ask(engine, path, token)).headers;
    const rows = await inTurn({
      "config-read": async () =>
        against(engine, {
          id: "config-read",
          work: "config read with a token, 200",
          request: rawRequest(engine.url, "GET", path, authorization),
          answer: await ask(engine, path, token),
          goal: 0.9,
        }),
      "config-read-304": async () =>
        against(engine, {
          id: "config-read-304",
          work: "config read with a token, 304",
          request: rawRequest(engine.url, "GET", path, { ...authorization, "If-None-Match": etag }),
          answer: await ask(engine, path, token, { "if-none-match": etag }),
          goal: 0.85,
        }),
      "flags-read": async () =>
        against(engine, {
          id: "flags-read",
          work: "OFREP bulk evaluation of 20 flags, 200",
          request: rawRequest(engine.url, "POST", FLAGS, { ...authorization, "Content-Type": "application/json" }, CONTEXT),
          answer: await evaluate(engine, token),
          goal: null,
        }),
    });
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

interface Read {
  readonly id: string;
  readonly work: string;
  readonly request: string;
  readonly answer: Answer;
  readonly goal: number | null;
}

async function against(engine: ServerProcess, { id, work, request: sent, answer, goal }: Read): Promise<Row> {
  const bare = await startBare(answer);
  const subject = new RawLoad(engine.url, { clients: CLIENTS, amount: READS_A_TURN, request: sent });
  const baseline = new RawLoad(bare.url, { clients: CLIENTS, amount: READS_A_TURN, request: sent });
  const pairs = await alternate(
    TURNS,
    () => subject.run(),
    () => baseline.run(),
  );
  await bare.stop();
  return ratioRow({
    id,
    work: `${work}, ${answer.body.length} bytes, ${CLIENTS} clients`,
    subject: "engine",
    baseline: "bare node:http, same bytes and headers",
    pairs,
    unit: perSecond,
    ratio: timesFaster,
    goal: goal === null ? null : { atLeast: goal },
    latency: [subject.latency("engine"), baseline.latency("bare node:http")],
    about:
      "The bare server knows its one answer beforehand. The engine also checks the token, its rights, its rate and whether its copy is current, for every request.",
    next: {
      met: "Node's own HTTP parser and socket writes are what is left; twice as many need a second process, which shares the store.",
      missed:
        "A profile of the fast lane says which of token, rate and currency costs most; the next idea is to check them once for all requests of one turn of the event loop.",
    },
  });
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
async function prepare(engine: AuthorizedEngine): Promise<string> {
  const twenty = <Value>(prefix: string, value: (n: number) => Value) =>
    Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`${prefix}_${n}`, value(n)]));
  const env_variables = twenty("VAR", (n) => ({ value: `https://service-${n}.example.com`, secret: false }));
  await engine.send("POST", "/env/create", { project_id: "bench", new_environment: "production", env_variables });
  await engine.send("PATCH", "/env/bench/production/config", { flags: twenty("flag", (n) => n % 2 === 0) });
  return engine.token("reader");
}

function ask({ url }: ServerProcess, path: string, token: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return answerTo(request(url + path, { headers: { authorization: `Bearer ${token}`, ...headers } }).end());
}

function evaluate({ url }: ServerProcess, token: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "content-length": CONTEXT.length };
  return answerTo(request(url + FLAGS, { method: "POST", headers }).end(CONTEXT));
}

function answerTo(asked: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    asked.once("error", reject).once("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.once("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, raw: response.rawHeaders, body }));
    });
  });
}
