import { setImmediate } from "node:timers/promises";
import { RedisServer } from "./redis.ts";

const SLOTS = 16_384;

/** A cluster of real servers on this machine, each with a share of the slots. */
export class RedisCluster {
  readonly servers: readonly RedisServer[];

  private constructor(servers: readonly RedisServer[]) {
    this.servers = servers;
  }

  static async start(size: number): Promise<RedisCluster> {
    // A server that stands still for a moment is not taken for gone.
    const args = ["--cluster-enabled", "yes", "--cluster-node-timeout", "15000"];
    const servers = await Promise.all(Array.from({ length: size }, () => RedisServer.start(...args)));
    const share = Math.ceil(SLOTS / size);
    await Promise.all(
      servers.map((server, index) =>
        server.command("CLUSTER", "ADDSLOTSRANGE", String(index * share), String(Math.min((index + 1) * share, SLOTS) - 1)),
      ),
    );
    const [first] = servers;
    for (const server of servers.slice(1)) await first?.command("CLUSTER", "MEET", "127.0.0.1", String(server.port));
    const cluster = new RedisCluster(servers);
    await cluster.whole();
    return cluster;
  }

  get url(): string {
    return `redis+cluster://${this.servers.map(({ port }) => `127.0.0.1:${port}`).join(",")}`;
  }

  /** Resolves when each server knows all others and their slots. */
  async whole(): Promise<void> {
    for (const server of this.servers) {
      for (;;) {
        const info = String(await server.command("CLUSTER", "INFO"));
        if (info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${this.servers.length}`)) break;
        await setImmediate();
      }
    }
  }

  /** Moves a slot and everything in it, as `redis-cli --cluster reshard` does. */
  async move(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
    const [source, target] = [String(await from.command("CLUSTER", "MYID")), String(await to.command("CLUSTER", "MYID"))];
    await to.command("CLUSTER", "SETSLOT", String(slot), "IMPORTING", source);
    await from.command("CLUSTER", "SETSLOT", String(slot), "MIGRATING", target);
    for (;;) {
      const keys = (await from.command("CLUSTER", "GETKEYSINSLOT", String(slot), "100")) as string[];
      if (keys.length === 0) break;
      await from.command("MIGRATE", "127.0.0.1", String(to.port), "", "0", "5000", "KEYS", ...keys);
    }
    for (const server of [to, from, ...this.servers]) await server.command("CLUSTER", "SETSLOT", String(slot), "NODE", target);
  }

  async dispose(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.dispose()));
  }
}
