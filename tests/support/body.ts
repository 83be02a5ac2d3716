import type { IncomingMessage } from "node:http";

/** All of a reply's body; of events, which do not end, what comes first. Rejects where it breaks off. */
export function bodyOf(response: IncomingMessage): Promise<string> {
  const isEndless = response.headers["content-type"]?.startsWith("text/event-stream") === true;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const done = () => resolve(Buffer.concat(chunks).toString("utf8"));
    response.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      if (!isEndless || !chunk.includes("data:")) return;
      done();
      response.destroy();
    });
    response.once("end", done);
    response.once("error", reject);
  });
}
