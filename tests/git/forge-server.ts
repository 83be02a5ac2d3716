import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What serves repositories of a folder by git's own `http-backend`, as forges do, to whoever shows the right token. */
export class ForgeServer {
  readonly #folder: string;
  readonly #authorization: string;
  readonly #server: Server;
  /** The headers that were shown, one for each request. */
  readonly shown: (string | undefined)[] = [];
  /** How it behaves to whoever comes: `hold` answers nobody, `redirect` sends them elsewhere. */
  behaviour: "serve" | "hold" | "redirect" = "serve";

  constructor(folder: string, username: string, token: string) {
    this.#folder = folder;
    this.#authorization = `Basic ${Buffer.from(`${username}:${token}`).toString("base64")}`;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves with the connection of the next request. */
  next(): Promise<{ readonly closed: Promise<void> }> {
    return new Promise((resolve) =>
      this.#server.once("request", ({ socket }: IncomingMessage) =>
        resolve({ closed: new Promise((closed) => (socket.destroyed ? closed() : socket.once("close", () => closed()))) }),
      ),
    );
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.shown.push(request.headers.authorization);
    if (this.behaviour === "hold") return;
    if (this.behaviour === "redirect") response.writeHead(302, { location: `http://127.0.0.1:1${request.url}` }).end();
    else if (request.headers.authorization !== this.#authorization)
      response.writeHead(401, { "www-authenticate": "Basic realm=forge" }).end("a s3cret of the forge");
    else this.#serve(request, response);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, search } = new URL(request.url ?? "/", "http://forge");
    const git = spawn("git", ["http-backend"], {
      env: {
        PATH: process.env.PATH,
        GIT_PROJECT_ROOT: this.#folder,
        GIT_HTTP_EXPORT_ALL: "1",
        REMOTE_USER: "engine",
        PATH_INFO: decodeURIComponent(pathname),
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers["content-type"],
        HTTP_CONTENT_ENCODING: request.headers["content-encoding"],
        GIT_PROTOCOL: request.headers["git-protocol"] as string | undefined,
      },
    });
    request.pipe(git.stdin);
    git.stdin.on("error", () => {});
    const pieces: Buffer[] = [];
    git.stdout.on("data", (piece: Buffer) => pieces.push(piece));
    git.once("close", () => {
      const output = Buffer.concat(pieces);
      const end = output.indexOf("\r\n\r\n");
      const headers = Object.fromEntries(
        output
          .subarray(0, end)
          .toString()
          .split("\r\n")
          .map((line) => line.split(": ") as [string, string]),
      );
      response.writeHead(Number.parseInt(headers.Status ?? "200", 10), headers).end(output.subarray(end + 4));
    });
  }
}
