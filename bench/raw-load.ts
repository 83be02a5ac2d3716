import { connect } from "node:net";

export interface RawLoad {
  /** Connections, each of which sends the next request when it has the answer to the last. */
  readonly clients: number;
  readonly amount: number;
  /** The bytes of the request, always the same; its answers all have one length. */
  readonly request: string;
}

/**
 * Sends one request again and again and answers how many milliseconds one took, all clients together. It reads nothing of an answer
 * but its first line and its length, so that the machine's time goes to the server.
 */
export async function rawLoad(url: string, { clients, amount, request }: RawLoad): Promise<number> {
  const { hostname: host, port } = new URL(url);
  const length = await answerLength(host, Number(port), request);
  let left = amount;
  const client = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ host, port: Number(port), noDelay: true });
      let expected = 0;
      const next = () => {
        if (left-- <= 0) {
          socket.end();
          resolve();
          return;
        }
        expected = length;
        socket.write(request, "latin1");
      };
      socket.on("data", (chunk) => {
        expected -= chunk.length;
        if (expected < 0) reject(new Error("an answer was longer than the others"));
        if (expected === 0) next();
      });
      socket.once("connect", next);
      socket.once("error", reject);
      socket.once("close", () => expected > 0 && reject(new Error("the server closed a connection")));
    });
  const start = performance.now();
  await Promise.all(Array.from({ length: clients }, client));
  return (performance.now() - start) / amount;
}

/** Bytes of an answer, head and body, on a connection that stays open. */
function answerLength(host: string, port: number, request: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ host, port }, () => socket.write(request, "latin1"));
    socket.once("error", reject);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const head = text.indexOf("\r\n\r\n") + 4;
      const body = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (head < 4 || text.length < head + body) return;
      socket.destroy();
      if (/^HTTP\/1\.1 (?:2|304)/.test(text)) resolve(text.length);
      else reject(new Error(`the server answered ${text.slice(0, 200)}`));
    });
  });
}
