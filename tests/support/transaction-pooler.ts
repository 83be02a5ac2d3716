import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

const READY = "Z";
const IDLE = "I";
const TERMINATE = "X";

/**
 * A pooler in transaction mode, as PgBouncer is one: a client has a server's connection from its first message to the end of its
 * transaction, and the next time another one. For a server that asks for no password.
 */
export class TransactionPooler {
  readonly #server: Server;
  readonly #target: number;
  readonly #size: number;
  readonly #free: Backend[] = [];
  readonly #waiting: ((backend: Backend) => void)[] = [];
  readonly #clients = new Set<Socket>();
  #made: Promise<Backend>[] = [];
  /** Transactions that were passed on. */
  transactions = 0;

  private constructor(target: number, size: number) {
    this.#target = target;
    this.#size = size;
    this.#server = createServer((client) => void this.#serve(client).catch(() => client.destroy()));
  }

  static async start(target: number, size: number): Promise<TransactionPooler> {
    const pooler = new TransactionPooler(target, size);
    pooler.#server.listen(0, "127.0.0.1");
    await once(pooler.#server, "listening");
    return pooler;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("The pooler does not listen.");
    return address.port;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    for (const backend of await Promise.all(this.#made)) backend.socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(client: Socket): Promise<void> {
    this.#clients.add(client);
    client.on("error", () => {});
    client.once("close", () => this.#clients.delete(client));
    const messages = new Messages(client, true);
    const startup = await messages.next();
    // Whoever logs in is told what the server told the pooler; all are one user on one database.
    const backends = await this.#connections(startup.bytes);
    client.write((backends[0] as Backend).greeting);
    for (;;) {
      const first = await messages.next();
      if (first.type === TERMINATE) return void client.end();
      const backend = await this.#take();
      const passing = this.#passAnswers(backend, client);
      backend.socket.write(first.bytes);
      for (let isOver = false; !isOver; ) {
        const next = await Promise.race([messages.next(), passing]);
        isOver = next === undefined;
        if (next !== undefined) backend.socket.write(next.bytes);
      }
      this.transactions++;
      this.#give(backend);
    }
  }

  /** Resolves when the server's connection is outside of any transaction. */
  async #passAnswers(backend: Backend, client: Socket): Promise<undefined> {
    for (;;) {
      const { type, bytes } = await backend.messages.next();
      client.write(bytes);
      if (type === READY && bytes.toString("latin1", 5, 6) === IDLE) return undefined;
    }
  }

  #connections(startup: Buffer): Promise<Backend[]> {
    if (this.#made.length === 0) {
      this.#made = Array.from({ length: this.#size }, () => Backend.connect(this.#target, startup));
      void Promise.all(this.#made).then((all) => {
        for (const backend of all) this.#give(backend);
      });
    }
    return Promise.all(this.#made);
  }

  /** The one that was used longest ago, so that a client seldom has the same one twice. */
  #take(): Promise<Backend> {
    const backend = this.#free.shift();
    if (backend !== undefined) return Promise.resolve(backend);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #give(backend: Backend): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(backend);
    else next(backend);
  }
}

interface Message {
  readonly type: string;
  readonly bytes: Buffer;
}

/** PostgreSQL's messages on a socket: a letter, a length, and content; the first one of a client lacks the letter. */
class Messages {
  #pending = Buffer.alloc(0);
  #lacksLetter: boolean;
  readonly #ready: Message[] = [];
  #wake: (() => void) | null = null;
  #next: Promise<Message> | null = null;

  constructor(socket: Socket, lacksLetter: boolean) {
    this.#lacksLetter = lacksLetter;
    socket.on("data", (chunk) => {
      this.#pending = Buffer.concat([this.#pending, chunk]);
      this.#cut();
      this.#wake?.();
    });
  }

  /** Asked again before it is answered, it answers with the same one: a race that it lost takes nothing away. */
  next(): Promise<Message> {
    this.#next ??= this.#read().finally(() => {
      this.#next = null;
    });
    return this.#next;
  }

  async #read(): Promise<Message> {
    for (;;) {
      const message = this.#ready.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #cut(): void {
    for (;;) {
      const letter = this.#lacksLetter ? 0 : 1;
      if (this.#pending.length < letter + 4) return;
      const length = letter + this.#pending.readInt32BE(letter);
      if (this.#pending.length < length) return;
      const bytes = this.#pending.subarray(0, length);
      this.#pending = this.#pending.subarray(length);
      this.#ready.push({ type: letter === 0 ? "" : bytes.toString("latin1", 0, 1), bytes });
      this.#lacksLetter = false;
    }
  }
}

class Backend {
  readonly socket: Socket;
  readonly messages: Messages;
  /** All that the server said until it was ready. */
  readonly greeting: Buffer;

  private constructor(socket: Socket, messages: Messages, greeting: Buffer) {
    this.socket = socket;
    this.messages = messages;
    this.greeting = greeting;
  }

  static async connect(target: number, startup: Buffer): Promise<Backend> {
    const socket = connect(target, "127.0.0.1").setNoDelay();
    socket.on("error", () => {});
    const messages = new Messages(socket, false);
    socket.write(startup);
    const greeting: Buffer[] = [];
    for (;;) {
      const { type, bytes } = await messages.next();
      greeting.push(bytes);
      if (type === READY) return new Backend(socket, messages, Buffer.concat(greeting));
    }
  }
}
