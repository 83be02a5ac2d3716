import { databasePath } from "./engine.ts";
import { type ServerProcess, startEngine } from "./processes.ts";

const ADMIN = "admin-token-of-the-bench";
/** So that what is measured is the work, not the limit. They count all the same. */
const UNLIMITED = { RATE_LIMIT_PER_TOKEN: "1000000", RATE_LIMIT_PER_ADDRESS: "1000000" };

/** An engine on an SQLite file that asks everybody for a token, as in production. */
export interface AuthorizedEngine extends ServerProcess {
  /** One request of the admin. Throws unless it was answered with 2xx. */
  send(method: string, path: string, body: object): Promise<{ readonly token?: string }>;
  /** A new token for every project and environment. */
  token(role: string): Promise<string>;
}

/** The source of this engine unless another entry is given. */
export async function startAuthorized(
  folder: string,
  settings: Readonly<Record<string, string>> = {},
  entry?: string,
): Promise<AuthorizedEngine> {
  const all = { STORE_URL: `sqlite:${databasePath(folder)}`, ENV_MANAGER_AUTH: "on", ENV_MANAGER_ADMIN_TOKEN: ADMIN, ...UNLIMITED };
  const engine = await startEngine({ ...all, ...settings }, entry);
  const send = async (method: string, path: string, body: object): Promise<{ readonly token?: string }> => {
    const headers = { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" };
    const reply = await fetch(engine.url + path, { method, headers, body: JSON.stringify(body) });
    if (!reply.ok) throw new Error(await reply.text());
    return (await reply.json()) as { readonly token?: string };
  };
  let made = 0;
  const token = async (role: string): Promise<string> =>
    (await send("POST", "/tokens", { name: `bench-${made++}`, role, projects: ["*"] })).token ?? "";
  return { ...engine, send, token };
}

/** The bytes of a request on a connection that stays open. */
export function rawRequest(url: string, method: string, path: string, headers: Readonly<Record<string, string>>, body?: string): string {
  const all = {
    Host: new URL(url).host,
    Accept: "*/*",
    ...headers,
    ...(body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) }),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body ?? ""}`;
}
