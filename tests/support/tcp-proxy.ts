import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Towards the server, or back to the client. */
type Direction = "requests" | "answers";

/** A TCP proxy of this process that a test can make misbehave. What it does it does to all connections, those to come included. */
export class TcpProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #connections = new Set<Connection>();
  readonly #held = new Set<Direction>();
  readonly #waiting: { direction: Direction; resolve: () => void }[] = [];
  #trap: { readonly direction: Direction; readonly text: string } | null = null;
  #latencyMs = 0;
  #refusing = false;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Leads to a port of this machine. */
  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("The proxy does not listen.");
    return address.port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Keeps what comes in this direction until `release`, from now on or from the request on that holds `text`. Both ends believe that the
   * connection is well.
   */
  hold(direction: Direction, text?: string): void {
    if (text === undefined) this.#held.add(direction);
    else this.#trap = { direction, text };
  }

  /** What comes from now on goes through; what is held back stays so until `release`. */
  holdNoMore(): void {
    this.#held.clear();
  }

  /** Resolves when there is something that is held back in this direction. */
  holding(direction: Direction): Promise<void> {
    if ([...this.#connections].some((connection) => connection.isHolding(direction))) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ direction, resolve }));
  }

  /** Lets everything through again, what was held back first. */
  release(): void {
    this.#held.clear();
    for (const connection of this.#connections) connection.flush();
  }

  /** Milliseconds by which everything is late from now on. */
  delay(ms: number): void {
    this.#latencyMs = ms;
  }

  /** Resets every connection, at both ends. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  /** Resets every connection at the client's end alone: what is held back on its way to the server still arrives when released. */
  cutClients(): void {
    for (const connection of this.#connections) connection.cutClient();
  }

  /** Gives this to the clients whose answers are held back, in place of these. */
  answerInstead(answer: Buffer): void {
    for (const connection of this.#connections) if (connection.isHolding("answers")) connection.answerInstead(answer);
  }

  /** Takes no connection any more, or takes them again. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      client.resetAndDestroy();
      return;
    }
    const connection = new Connection(client, connect(this.#target, "127.0.0.1"), {
      isHeld: (direction) => this.#held.has(direction),
      latencyMs: () => this.#latencyMs,
      onRequest: (chunk) => this.#spring(chunk),
      onHeld: (direction) => this.#tellHeld(direction),
      onEnd: () => void this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }

  #spring(request: Buffer): void {
    if (this.#trap === null || !request.includes(this.#trap.text)) return;
    this.#held.add(this.#trap.direction);
    this.#trap = null;
  }

  #tellHeld(direction: Direction): void {
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.direction === direction) waiting.resolve();
      else this.#waiting.push(waiting);
    }
  }
}

interface Rules {
  isHeld(direction: Direction): boolean;
  latencyMs(): number;
  onRequest(chunk: Buffer): void;
  onHeld(direction: Direction): void;
  onEnd(): void;
}

class Connection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #rules: Rules;
  readonly #held: Record<Direction, Buffer[]> = { requests: [], answers: [] };
  #clientIsCut = false;

  constructor(client: Socket, server: Socket, rules: Rules) {
    this.#client = client.setNoDelay();
    this.#server = server.setNoDelay();
    this.#rules = rules;
    client.on("data", (chunk) => this.#pass("requests", chunk));
    server.on("data", (chunk) => this.#pass("answers", chunk));
    for (const socket of [client, server]) socket.on("error", () => {});
    client.on("close", () => {
      if (!this.#clientIsCut) this.cut();
    });
    server.on("close", () => this.cut());
  }

  isHolding(direction: Direction): boolean {
    return this.#held[direction].length > 0;
  }

  flush(): void {
    for (const chunk of this.#held.requests.splice(0)) this.#server.write(chunk);
    for (const chunk of this.#held.answers.splice(0)) this.#client.write(chunk);
    if (this.#clientIsCut) this.#server.end();
  }

  answerInstead(answer: Buffer): void {
    this.#held.answers.length = 0;
    this.#client.write(answer);
  }

  cutClient(): void {
    this.#clientIsCut = true;
    this.#client.resetAndDestroy();
  }

  cut(): void {
    if (!this.#client.destroyed) this.#client.resetAndDestroy();
    if (!this.#server.destroyed) this.#server.resetAndDestroy();
    this.#rules.onEnd();
  }

  #pass(direction: Direction, chunk: Buffer): void {
    const ms = this.#rules.latencyMs();
    if (ms > 0) setTimeout(() => this.#deliver(direction, chunk), ms);
    else this.#deliver(direction, chunk);
  }

  #deliver(direction: Direction, chunk: Buffer): void {
    if (direction === "requests") this.#rules.onRequest(chunk);
    if (this.#rules.isHeld(direction) || this.isHolding(direction)) {
      this.#held[direction].push(chunk);
      this.#rules.onHeld(direction);
      return;
    }
    const to = direction === "requests" ? this.#server : this.#client;
    if (!to.destroyed) to.write(chunk);
  }
}
