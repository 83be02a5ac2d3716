import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What each says, so that the engine goes on. A webhook's receiver need not say anything. */
const ANSWERS: Readonly<Record<string, object>> = {
  "/validation/check": { valid: true, errors: [], warnings: [] },
  "/monitoring/logs": { success: true },
  "/monitoring/alert": { success: true },
  "/deploy": { status: "success", env: "staging", version_id: "d-1", url: "https://shop.example.com" },
  "/builder/preview": { url: "https://preview.example.com/" },
  "/feedback/requests": { success: true },
};

/** Everybody whom the engine tells something: the other engines of its family, and receivers of webhooks, which fail below `/fails`. */
export class Outside {
  readonly #server: Server;
  readonly #told: string[] = [];
  /** How often each path was asked for. */
  readonly #asked = new Map<string, number>();

  #gone = "";

  constructor() {
    this.#server = createServer(async (request, response) => {
      const path = (request.url ?? "").replace(/\?.*/, "");
      const body = await textOf(request);
      // How it says who it is, to whom it was told to say so, is between those two.
      const { authorization: _, "webhook-signature": __, ...headers } = request.headers;
      this.#told.push(JSON.stringify({ method: request.method, headers }), body);
      this.#asked.set(path, (this.#asked.get(path) ?? 0) + 1);
      response
        .writeHead(path.startsWith("/fails") ? 500 : 200, { "content-type": "application/json" })
        .end(JSON.stringify(ANSWERS[path] ?? {}));
    });
  }

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    this.#gone = hostOf(gone);
    gone.close();
    return this;
  }

  get host(): string {
    return hostOf(this.#server);
  }

  /** Where somebody was, and is nobody any more. */
  get gone(): string {
    return this.#gone;
  }

  /** All that it was told so far, the addresses aside. */
  get told(): string {
    return this.#told.join("\n");
  }

  hasHeard(path: string): boolean {
    return this.#asked.has(path);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function hostOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
