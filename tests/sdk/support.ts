import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import {
  type ConnectionEvents,
  type ConnectOptions,
  connectEnvironment,
  type EnvironmentConnection,
  EnvmError,
} from "../../src/sdk/index.ts";

/** The failure of what must fail. */
export async function failure(call: Promise<unknown>): Promise<EnvmError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof EnvmError)) throw new Error(`Expected an EnvmError, got ${String(error)}`);
  return error;
}

/** A connection that is closed when its test ends. */
export function connected(options: ConnectOptions): EnvironmentConnection {
  const connection = connectEnvironment(options);
  onTestFinished(() => connection.close());
  return connection;
}

/** Resolves with the next event of that kind for which `wanted` holds. */
export function next<Name extends keyof ConnectionEvents>(
  connection: EnvironmentConnection,
  name: Name,
  wanted: (event: ConnectionEvents[Name]) => boolean = () => true,
): Promise<ConnectionEvents[Name]> {
  return new Promise((resolve) => {
    const leave = connection.on(name, (event) => {
      if (!wanted(event)) return;
      leave();
      resolve(event);
    });
  });
}

/** Resolves when the connection has that revision, or a newer one. */
export async function reached(connection: EnvironmentConnection, revision: number): Promise<void> {
  if ((connection.status.revision ?? 0) >= revision) return;
  await Promise.race([
    next(connection, "changed", (change) => change.revision >= revision),
    next(connection, "ready", (status) => (status.revision ?? 0) >= revision),
  ]);
}

/** Resolves when the stream tells of news: what happens from then on comes by it. */
export async function streaming(connection: EnvironmentConnection): Promise<void> {
  if (connection.status.updates !== "stream") await next(connection, "updates", ({ updates }) => updates === "stream");
}

/** What stands between a client and an engine: it can cut connections, go silent without a word, and lead to another port. */
export class Relay {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #port: number;

  private constructor(port: number) {
    this.#port = port;
    this.#server = createServer((client) => this.#join(client));
  }

  static async to(url: string): Promise<Relay> {
    const relay = new Relay(Number(new URL(url).port));
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    onTestFinished(() => relay.#close());
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  lead(url: string): void {
    this.#port = Number(new URL(url).port);
  }

  /** Cuts every connection that there is: not as whoever ends one does. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  /** Carries nothing any more on the connections that there are, and closes none: as a network does that loses its packets. */
  silence(): void {
    for (const [client, engine] of this.#pairs) {
      client.unpipe(engine);
      engine.unpipe(client);
    }
  }

  #join(client: Socket): void {
    const engine = connect(this.#port, "127.0.0.1");
    const pair = [client, engine] as const;
    this.#pairs.add(pair);
    client.pipe(engine).pipe(client);
    for (const [socket, other] of [pair, [engine, client] as const]) {
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  #close(): void {
    this.cut();
    this.#server.close();
  }
}

/** An address where nothing listens. */
export async function deadUrl(): Promise<string> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `http://127.0.0.1:${port}`;
}
