import { spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { childScript } from "../support/children.ts";

/** Starts a forge over a folder of repositories, until the test ends. */
export async function forge(folder: string, credential = ""): Promise<string> {
  const child = spawn(process.execPath, [childScript("git/forge"), folder, credential], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [port] = (await once(child.stdout, "data")) as [Buffer];
  return `http://127.0.0.1:${Number(port.toString())}`;
}
