import { Agent, request } from "node:http";
import { randomFrom } from "../platforms.ts";

export const PROJECTS = 10;
export const LOAD =
  "reads, evaluations, config writes, state changes with promotions, previews that come and end, watchers that come and go, and a Monitoring engine that is killed again and again";

/** One who does the same thing again and again, so many times a second. */
interface Actor {
  readonly perSecond: number;
  act(client: SoakClient, n: number): Promise<unknown>;
}

const project = (n: number) => `project-${n % PROJECTS}`;
const random = randomFrom(1);
const any = (below: number) => Math.floor(random() * below);

const ACTORS: readonly Actor[] = [
  { perSecond: 200, act: (client) => client.send("GET", `/env/${project(any(PROJECTS))}/dev/config`) },
  { perSecond: 20, act: (client) => client.send("GET", `/env/${project(any(PROJECTS))}/staging/state`) },
  {
    perSecond: 40,
    act: (client, n) =>
      client.send("POST", `/ofrep/v1/evaluate/flags?project_id=${project(n)}&env=dev`, { context: { targetingKey: `user-${n % 1_000}` } }),
  },
  {
    perSecond: 20,
    act: (client, n) => client.send("PATCH", `/env/${project(n)}/dev/config`, { vars: { [`VAR_${n % 20}`]: `value ${n}` } }),
  },
  {
    perSecond: 2,
    act: async (client, n) => {
      await client.send("PATCH", `/env/${project(n)}/dev/state`, { set: { [`flows/flow-${n % 50}`]: { edition: n } } });
      await client.send("POST", "/env/promote", { project_id: project(n), source_env: "dev", target_env: "staging", strategy: "replace" });
    },
  },
  {
    perSecond: 1,
    act: (client, n) =>
      client.send("POST", "/env/create", {
        project_id: project(n),
        new_environment: `pr-${n}`,
        base_from: "dev",
        type: "preview",
        expires_in: "20s",
      }),
  },
  { perSecond: 1, act: (client, n) => client.send("GET", `/env/${project(n)}/audit?limit=50`) },
  // Each stays for a while, so that many watch at once, and none for long.
  { perSecond: 2, act: (client, n) => client.watch(`/env/${project(n)}/dev/watch`, 5_000 + any(20_000)) },
];

/** Sends requests over connections that stay open, and keeps how long each took. */
export class SoakClient {
  /** What is idle is given up before the engine gives it up, as it tells its clients: Node's agent heeds that where it has a time of its own. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64, timeout: 120_000 });
  readonly #url: string;
  readonly #token: string;
  times: number[] = [];
  failures: string[] = [];

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  send(method: string, path: string, body?: object): Promise<void> {
    const start = performance.now();
    return new Promise((resolve) => {
      const done = (failure: string | null) => {
        if (failure !== null) this.failures.push(`${method} ${path}: ${failure}`);
        else this.times.push(performance.now() - start);
        resolve();
      };
      const sent = request(this.#url + path, { method, agent: this.#agent, headers: this.#headers() }, (response) => {
        response.resume();
        response.once("end", () => done((response.statusCode ?? 0) < 400 ? null : `status ${response.statusCode}`));
      });
      sent.once("error", (error) => done(error.message));
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Reads events for so long, and goes. */
  watch(path: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const sent = request(this.#url + path, { headers: { ...this.#headers(), accept: "text/event-stream" } }, (response) => {
        if (response.statusCode !== 200) this.failures.push(`GET ${path}: status ${response.statusCode}`);
        response.on("error", () => {});
        response.resume();
      });
      sent.on("error", () => {});
      sent.end();
      setTimeout(() => {
        sent.destroy();
        resolve();
      }, ms);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #headers() {
    return { authorization: `Bearer ${this.#token}`, "content-type": "application/json" };
  }
}

/** How many of one actor's requests may wait at once: where the engine is slower than that, they come less often. */
const WAITING = 100;

/** Everybody does what they do until `stop` is aborted; resolves when all have their answers. */
export async function actAll(client: SoakClient, stop: AbortSignal): Promise<void> {
  await Promise.all(ACTORS.map((actor) => actUntil(actor, client, stop)));
}

async function actUntil({ perSecond, act }: Actor, client: SoakClient, stop: AbortSignal): Promise<void> {
  const waiting = new Set<Promise<unknown>>();
  const begin = performance.now();
  for (let n = 0; !stop.aborted; n++) {
    const due = begin + (n * 1_000) / perSecond - performance.now();
    if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
    if (waiting.size >= WAITING) await Promise.race(waiting);
    const acting = act(client, n).finally(() => waiting.delete(acting));
    waiting.add(acting);
  }
  await Promise.all(waiting);
}
