import { spawn, spawnSync } from "node:child_process";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { end, type ServerProcess } from "./processes.ts";

/** Whether this machine has etcd. */
export function hasEtcd(): boolean {
  return spawnSync("etcd", ["--version"]).status === 0;
}

/** A member of its own, with its settings as they come: every put is synced before it is answered. */
export async function startEtcd(folder: string): Promise<ServerProcess> {
  const [client, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${client}`;
  const peers = `http://127.0.0.1:${peer}`;
  const child = spawn(
    "etcd",
    [
      ...["--data-dir", folder, "--log-level", "error", "--name", "bench", "--initial-cluster", `bench=${peers}`],
      ...["--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers],
    ],
    { stdio: "ignore" },
  );
  process.once("exit", () => child.kill("SIGKILL"));
  for (let attempt = 0; attempt < 100; attempt++) {
    const reply = await fetch(`${url}/health`).catch(() => null);
    if (reply?.ok) return { url, pid: child.pid ?? 0, stop: () => end(child, "SIGTERM") };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("etcd does not answer");
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
