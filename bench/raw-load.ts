import { connect } from "node:net";
import { type Latency, latencyOf } from "./measure.ts";

interface RawLoadOptions {
  /** Connections, each of which sends the next request when it has the answer to the last. */
  readonly clients: number;
  readonly amount: number;
  /** The bytes of the request, always the same; its answers all have one length. */
  readonly request: string;
  /** How long an answer is that begins like this; `null` where more of it has to come first. HTTP's unless another is given. */
  readonly answerLength?: (start: string) => number | null;
}

/**
 * Sends one request again and again. It reads nothing of an answer but its first line and its length, so that the machine's time goes to
 * the server: a load generator that parses each answer takes longer for it than the server does.
 */
export class RawLoad {
  readonly #host: string;
  readonly #port: number;
  readonly #options: RawLoadOptions;
  readonly #times: number[] = [];
  #length: number | null = null;

  constructor(url: string, options: RawLoadOptions) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
    this.#options = options;
  }

  /** Milliseconds that one request took, all clients together. */
  async run(): Promise<number> {
    const { clients, amount, request } = this.#options;
    this.#length ??= await this.#answerLength();
    let left = amount;
    const client = () => this.#client(request, this.#length ?? 0, () => left-- > 0);
    const start = performance.now();
    await Promise.all(Array.from({ length: clients }, client));
    return (performance.now() - start) / amount;
  }

  /** How long single requests took, of all runs. */
  latency(of: string): Latency {
    return latencyOf(of, this.#times);
  }

  #client(request: string, length: number, another: () => boolean): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
      let expected = 0;
      let sent = 0;
      const next = () => {
        if (!another()) {
          socket.end();
          resolve();
          return;
        }
        expected = length;
        sent = performance.now();
        socket.write(request, "latin1");
      };
      socket.on("data", (chunk) => {
        expected -= chunk.length;
        if (expected < 0) reject(new Error("an answer was longer than the others"));
        if (expected !== 0) return;
        this.#times.push(performance.now() - sent);
        next();
      });
      socket.once("connect", next);
      socket.once("error", reject);
      socket.once("close", () => expected > 0 && reject(new Error("the server closed a connection")));
    });
  }

  /** Bytes of an answer, on a connection that stays open. */
  #answerLength(): Promise<number> {
    const { request, answerLength = httpAnswerLength } = this.#options;
    return new Promise((resolve, reject) => {
      let text = "";
      const socket = connect({ host: this.#host, port: this.#port }, () => socket.write(request, "latin1"));
      socket.once("error", reject);
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
        try {
          const length = answerLength(text);
          if (length === null || text.length < length) return;
          resolve(length);
        } catch (error) {
          reject(error as Error);
        }
        socket.destroy();
      });
    });
  }
}

function httpAnswerLength(text: string): number | null {
  const head = text.indexOf("\r\n\r\n") + 4;
  if (head < 4) return null;
  if (!/^HTTP\/1\.1 (?:2|304)/.test(text)) throw new Error(`the server answered ${text.slice(0, 200)}`);
  return head + Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
}
