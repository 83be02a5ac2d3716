import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { createParser, type EventSourceMessage } from "eventsource-parser";

/** Reads server-sent events as clients do, with the parser that many of them have. */
export class EventReader {
  readonly status: Promise<number>;
  readonly events: EventSourceMessage[] = [];
  readonly comments: string[] = [];
  headers: IncomingHttpHeaders = {};
  retryMs: number | null = null;
  text = "";
  ended = false;
  readonly #leave: () => void;
  #waiting: (() => void)[] = [];

  constructor(port: number, path: string, headers: Readonly<Record<string, string>> = {}) {
    const parser = createParser({
      onEvent: (event) => this.events.push(event),
      onRetry: (ms) => {
        this.retryMs = ms;
      },
      onComment: (comment) => this.comments.push(comment),
      onError: (error) => {
        throw error;
      },
    });
    const request = httpRequest({ port, host: "127.0.0.1", path, headers, agent: false });
    this.#leave = () => request.destroy();
    this.status = new Promise((resolve, reject) => {
      request.once("error", (error) => (this.ended ? undefined : reject(error)));
      request.once("response", (response) => {
        this.headers = response.headers;
        resolve(response.statusCode ?? 0);
        response.setEncoding("utf8");
        response.on("data", (text: string) => {
          this.text += text;
          parser.feed(text);
          this.#tell();
        });
        response.on("error", () => {});
        response.once("close", () => {
          this.ended = true;
          this.#tell();
        });
      });
    });
    request.end();
  }

  get ids(): readonly number[] {
    return this.events.map(({ id }) => Number(id));
  }

  /** The data of each event. */
  get told(): readonly Readonly<Record<string, unknown>>[] {
    return this.events.map(({ data }) => JSON.parse(data) as Readonly<Record<string, unknown>>);
  }

  async until(so: () => boolean): Promise<this> {
    while (!so()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this;
  }

  hears(id: number): Promise<this> {
    return this.until(() => this.ids.at(-1) === id);
  }

  over(): Promise<this> {
    return this.until(() => this.ended);
  }

  leave(): void {
    this.ended = true;
    this.#leave();
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
