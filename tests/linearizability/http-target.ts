import { Agent, request } from "node:http";
import { PROJECT } from "../domain/support.ts";
import type { Target } from "./clients.ts";

/** After this long nobody waits any more: of an instance that stands still, or a store that does not answer. */
const PATIENCE_MS = 3_000;

interface Answer {
  readonly status: number;
  readonly tag: string;
  readonly body: { readonly revision: number; readonly vars?: Readonly<Record<string, string>>; readonly code?: string };
}

/** An instance, over HTTP. `url` is asked each time: an instance that is started again has another. */
export function httpTarget(url: () => string, path: (env: string) => string = (env) => `/env/${PROJECT}/${env}/config`): Target {
  const agent = new Agent({ keepAlive: true });
  const send = (method: string, target: string, body?: unknown, headers: Record<string, string> = {}) =>
    ask(agent, url(), { method, path: target, headers, body: body === undefined ? null : JSON.stringify(body) });
  return {
    async read(env) {
      const answer = await send("GET", path(env)).catch(() => null);
      if (answer?.status !== 200) return null;
      const { revision, vars = {} } = answer.body;
      // Written together, so that a mixture of two states shows.
      if (vars.ONE !== vars.TWO) throw new Error(`one state holds ${vars.ONE} and ${vars.TWO}`);
      return { revision, value: vars.ONE ?? null, tag: answer.tag };
    },
    async write(env, tag, value) {
      try {
        const answer = await send("PATCH", path(env), { vars: { ONE: value, TWO: value } }, tag === null ? {} : { "if-match": tag });
        if (answer.status === 200) return { revision: answer.body.revision };
        if (answer.status === 412) return "refused";
        // It lost every race, or was never begun.
        if (answer.status === 409 || answer.body.code === "shutting_down") return "not sent";
        if (answer.status < 500) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
        return "unknown";
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ECONNREFUSED") return "not sent";
        if (code === undefined) throw error;
        return "unknown";
      }
    },
  };
}

interface Question {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

function ask(agent: Agent, url: string, { method, path, headers, body }: Question): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const sent = {
    ...headers,
    ...(body !== null && { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
  };
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, method, path, headers: sent, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.once("error", reject);
      response.once("aborted", () => reject(Object.assign(new Error("half an answer"), { code: "ECONNRESET" })));
      response.once("end", () =>
        resolve({ status: response.statusCode ?? 0, tag: response.headers.etag ?? "", body: text === "" ? {} : JSON.parse(text) }),
      );
    });
    const patience = setTimeout(() => asked.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })), PATIENCE_MS);
    asked.once("close", () => clearTimeout(patience));
    asked.once("error", reject);
    asked.end(body ?? undefined);
  });
}
