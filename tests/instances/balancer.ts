import { Agent, createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How often a backend is asked whether it is ready. */
const PROBE_MS = 50;
const IDEMPOTENT: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "PUT", "DELETE"]);
/** Nothing of a request that failed so has reached anybody, or it may be sent again. */
const RETRIED: ReadonlySet<string | undefined> = new Set(["ECONNREFUSED", "ECONNRESET"]);

interface Backend {
  readonly url: string;
  isReady: boolean;
  /** Asked, and not answered yet: an answer that comes late says nothing of what comes after it. */
  isAsked: boolean;
}

const backendAt = (url: string): Backend => ({ url, isReady: true, isAsked: false });

/**
 * A load balancer as people run them: it keeps connections to its backends, asks each for `/readyz`, sends requests to those that are
 * ready in turn, and sends a request again that may be repeated where the connection was refused or reset. Any other it answers with 502.
 */
export class Balancer {
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #backends: Backend[];
  #next = 0;
  readonly #probing: NodeJS.Timeout;
  /** What its clients were told that no backend said. */
  readonly failures: string[] = [];

  private constructor(urls: readonly string[]) {
    this.#backends = urls.map(backendAt);
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#probing = setInterval(() => void this.#probe(), PROBE_MS);
  }

  static async start(urls: readonly string[]): Promise<Balancer> {
    const balancer = new Balancer(urls);
    await new Promise<void>((resolve) => balancer.#server.listen(0, "127.0.0.1", resolve));
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Takes a backend out, and others in: what a deployment does once those are there. */
  replace(gone: string, come: readonly string[]): void {
    this.#backends = [...this.#backends.filter(({ url }) => url !== gone), ...come.map(backendAt)];
  }

  async close(): Promise<void> {
    clearInterval(this.#probing);
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #probe(): Promise<void> {
    await Promise.all(
      this.#backends.map(async (backend) => {
        if (backend.isAsked) return;
        backend.isAsked = true;
        backend.isReady = await fetch(`${backend.url}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        );
        backend.isAsked = false;
      }),
    );
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    let fault: unknown = new Error("no backend is ready");
    for (const { url } of this.#inTurn()) {
      try {
        return await this.#forward(url, request, body, response);
      } catch (error) {
        fault = error;
        if (!IDEMPOTENT.has(request.method) || !RETRIED.has((error as NodeJS.ErrnoException).code)) break;
      }
    }
    this.failures.push(`${request.method} ${request.url}: ${String(fault)}`);
    response.writeHead(502).end();
  }

  #inTurn(): readonly Backend[] {
    const ready = this.#backends.filter(({ isReady }) => isReady);
    const first = this.#next++ % Math.max(ready.length, 1);
    return [...ready.slice(first), ...ready.slice(0, first)];
  }

  #forward(backend: string, { method, url, headers }: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> {
    const { hostname, port, host } = new URL(backend);
    const { connection: _, ...passed } = headers;
    return new Promise((resolve, reject) => {
      const sent = httpRequest({ hostname, port, method, path: url, headers: { ...passed, host }, agent: this.#agent }, (reply) => {
        const { connection: __, ...told } = reply.headers;
        response.writeHead(reply.statusCode ?? 502, told);
        reply.pipe(response);
        reply.once("end", resolve);
        reply.once("error", reject);
      });
      sent.once("error", reject);
      sent.end(body);
    });
  }
}
