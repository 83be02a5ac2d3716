import { spawn, spawnSync } from "node:child_process";
import { end, type ServerProcess } from "../processes.ts";
import { debianProgram } from "./debian.ts";
import { freePort, untilAnswers } from "./ready.ts";

export interface Etcd extends ServerProcess {
  /** `etcd 3.4.23` */
  readonly version: string;
}

/** The path of etcd, which Debian has. */
export function etcdProgram(): Promise<string> {
  return debianProgram("etcd", ["etcd-server"]);
}

/** A member of its own, with its settings as they come: every put is synced before it is answered. */
export async function startEtcd(folder: string): Promise<Etcd> {
  const program = await etcdProgram();
  const [client, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${client}`;
  const peers = `http://127.0.0.1:${peer}`;
  const child = spawn(
    program,
    [
      ...["--data-dir", folder, "--log-level", "error", "--name", "bench", "--initial-cluster", `bench=${peers}`],
      ...["--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers],
    ],
    { stdio: "ignore" },
  );
  process.once("exit", () => child.kill("SIGKILL"));
  await untilAnswers(`${url}/health`, child);
  const version = /etcd Version: (\S+)/.exec(spawnSync(program, ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? "";
  return { url, pid: child.pid ?? 0, version: `etcd ${version}`, stop: () => end(child, "SIGTERM") };
}
