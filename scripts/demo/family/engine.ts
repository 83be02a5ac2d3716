import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { acts, type Behaviour, isBehaviour, misbehave, send } from "./behaviour.ts";
import type { Answer, Asked, Members } from "./contract.ts";
import { begin, MEMBERS, type MemberName } from "./play.ts";

/**
 * One engine of the family, to play with: `engine NAME PORT [FILE]`. It speaks its contract and nothing else, and keeps what it
 * was told in FILE, where there is one, so that a restart forgets nothing. Outside of the contract, for whoever plays:
 * `PUT /_behaviour {behaviour}`, with `forget: true` as if nothing had been before, and `GET /_seen`.
 */

interface Call {
  readonly method: string;
  readonly path: string;
  /** What it was answered; `null` where it was not acted on. */
  readonly status: number | null;
}

const HOST = "127.0.0.1";
const CALLS_KEPT = 10_000;

const [name = "", port = "0", file] = process.argv.slice(2);
if (!MEMBERS.some((member) => member === name)) throw new Error(`"${name}" is none of: ${MEMBERS.join(", ")}.`);
const kept = read();
let played = begin(name as MemberName, kept.memory);
const breaches: string[] = kept.breaches ?? [];
const calls: Call[] = [];
const held = new Set<() => void>();
let behaviour: Behaviour = "well";

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = "", url = "/" } = request;
  const asked: Asked = { method, path: partsOf(url), body: await bodyOf(request) };
  if (`${method} ${url}` === "PUT /_behaviour") return send(response, behave(asked.body));
  if (`${method} ${url}` === "GET /_seen")
    return send(response, { status: 200, body: { behaviour, calls, breaches, memory: played.memory } });
  const how = behaviour;
  const answer = acts(how) ? act(asked) : null;
  calls.push({ method, path: url, status: answer?.status ?? null });
  if (calls.length > CALLS_KEPT) calls.shift();
  if (answer === null || (how !== "well" && how !== "slow")) return misbehave(response, how as Exclude<Behaviour, "well" | "slow">);
  if (how === "slow") await new Promise<void>((release) => held.add(release));
  send(response, answer);
}

function act(asked: Asked): Answer {
  const answer = played.answer(asked);
  if (answer.breach !== undefined) breaches.push(answer.breach);
  write();
  return answer;
}

function behave(wish: unknown): Answer {
  const members = (wish ?? {}) as Members;
  if (!isBehaviour(members.behaviour)) return { status: 422, body: { error: "there is no such behaviour" } };
  behaviour = members.behaviour;
  if (members.forget === true) forget();
  played.told(members);
  for (const release of held) release();
  held.clear();
  return { status: 200, body: { behaviour } };
}

function forget(): void {
  played = begin(name as MemberName, undefined);
  breaches.length = 0;
  calls.length = 0;
  write();
}

function partsOf(url: string): readonly string[] {
  const path = url.split("?", 1)[0] ?? "";
  try {
    return path.split("/").slice(1).map(decodeURIComponent);
  } catch {
    return [path];
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return undefined;
  }
}

function read(): { readonly memory?: unknown; readonly breaches?: string[] } {
  if (file === undefined || !existsSync(file)) return {};
  return JSON.parse(readFileSync(file, "utf8")) as { readonly memory: unknown; readonly breaches: string[] };
}

/** Before it answers: what it said it has, it has. The file is the old or the new one, also where this process is killed meanwhile. */
function write(): void {
  if (file === undefined) return;
  writeFileSync(`${file}.new`, JSON.stringify({ memory: played.memory, breaches }), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

const server = createServer((request, response) => void receive(request, response));
server.listen(Number(port), HOST, () => {
  const url = `http://${HOST}:${(server.address() as AddressInfo).port}`;
  process.stdout.write(`${JSON.stringify({ msg: "listening", url })}\n`);
});
process.on("SIGTERM", () => process.exit(0));
