import { connect, type Socket } from "node:net";
import { startAuthorized } from "./authorized.ts";
import { withFolder } from "./folders.ts";
import { countRow, latencyOf, type Row } from "./measure.ts";
import type { ServerProcess } from "./processes.ts";

const WATCHERS = 5_000;
/** As many as one token may have open, and a few less. */
const PER_TOKEN = 90;
const CHANGES = 15;
const IDLE_MS = 5_000;

/** One environment with many who watch it: what each costs in memory, and when the last of them knows of a change. */
export async function watchers(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const engine = await startAuthorized(folder);
    await engine.send("POST", "/env/create", { project_id: "bench", new_environment: "production" });
    const tokens: string[] = [];
    for (let n = 0; n * PER_TOKEN < WATCHERS; n++) {
      tokens.push(await engine.token("reader"));
    }
    const crowd = new Crowd(engine, tokens);
    // A first crowd makes the process as large as its connections need it once; what the next costs is theirs.
    await crowd.gather(500);
    const before = await memoryOf(engine);
    await crowd.gather(WATCHERS);
    const bytes = ((await memoryOf(engine)) - before) / (WATCHERS - 500);
    const delays: number[] = [];
    for (let change = 0; change < CHANGES; change++) {
      const told = crowd.told();
      const start = performance.now();
      await engine.send("PATCH", "/env/bench/production/config", { vars: { N: String(change) } });
      await told;
      delays.push(performance.now() - start);
    }
    crowd.leave();
    await engine.stop();
    const work = `${WATCHERS.toLocaleString("en")} watchers of one environment`;
    return [
      countRow({
        id: "watcher-memory",
        work,
        subject: "memory of each",
        values: [bytes / 1024],
        unit: "KB",
        goal: { atMost: 20 },
        next: {
          met: "What is left is Node's socket, its parser and its buffers.",
          missed: "A heap snapshot with 5,000 watchers says what each one holds beside Node's own socket and parser.",
        },
      }),
      countRow({
        id: "watcher-last-told",
        work,
        subject: "from the write's request to the last one told",
        values: delays,
        unit: "ms",
        goal: { atMost: 150 },
        latency: [latencyOf("last of 5,000 watchers told", delays)],
        next: {
          met: "5,000 writes to 5,000 sockets are 5,000 system calls; twice as fast needs a second process, which watches the same store.",
          missed:
            "The chunk is built once; what remains is one system call for each watcher. The next idea is a worker that owns the sockets.",
        },
      }),
    ];
  });
}

/** Connections that read events, and count them. */
class Crowd {
  readonly #engine: ServerProcess;
  readonly #tokens: readonly string[];
  readonly #sockets: Socket[] = [];
  #events = 0;
  #expected = 0;
  #reached: (() => void) | null = null;

  constructor(engine: ServerProcess, tokens: readonly string[]) {
    this.#engine = engine;
    this.#tokens = tokens;
  }

  /** Resolves once there are so many and each has been told of the head. */
  async gather(size: number): Promise<void> {
    while (this.#sockets.length < size) {
      const told = this.#after(Math.min(100, size - this.#sockets.length));
      for (let n = 0; n < 100 && this.#sockets.length < size; n++) this.#join();
      await told;
    }
  }

  /** Resolves once everybody was told once more. */
  told(): Promise<void> {
    return this.#after(this.#sockets.length);
  }

  leave(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(): void {
    const { hostname: host, port } = new URL(this.#engine.url);
    const token = this.#tokens[Math.floor(this.#sockets.length / PER_TOKEN)];
    const socket = connect({ host, port: Number(port) }, () => {
      socket.write(`GET /env/bench/production/watch HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    });
    socket.on("data", (chunk) => {
      for (let at = chunk.indexOf("\ndata:"); at >= 0; at = chunk.indexOf("\ndata:", at + 1)) this.#count();
    });
    socket.on("error", () => {});
    this.#sockets.push(socket);
  }

  #after(more: number): Promise<void> {
    this.#expected = this.#events + more;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  #count(): void {
    if (++this.#events >= this.#expected) this.#reached?.();
  }
}

/** Once what was needed for a moment has been given back, which V8 does when it has been idle for a while. */
async function memoryOf({ url }: ServerProcess): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
}
