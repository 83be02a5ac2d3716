import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

const ATTEMPTS = 600;
const WAIT_MS = 100;

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}

/** Resolves once a server that was started answers this address with 2xx. */
export async function untilAnswers(url: string, child: ChildProcess): Promise<void> {
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with code ${child.exitCode} before it answered`);
    return (await fetch(url).catch(() => null))?.ok ?? false;
  }, url);
}

/** Asks again and again, for a minute at most. */
export async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }
  throw new Error(`waited in vain for ${what}`);
}
