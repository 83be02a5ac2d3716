import type { Client } from "../sdk/client.ts";
import { BOUNDS } from "./bounds.ts";
import type { Output } from "./output.ts";

/** A client of which whoever typed the command is told that it waits, and for what, where an answer takes its time. Streams tell of themselves. */
export function patient(client: Client, output: Output): Client {
  const telling = (method: unknown) => {
    if (typeof method !== "function") return method;
    return (...args: unknown[]) => {
      const result: unknown = method(...args);
      if (!(result instanceof Promise)) return result;
      const timer = setTimeout(() => {
        output.note(`Waiting for the engine at ${client.url}: no answer for ${BOUNDS.waitToldMs / 1_000} seconds.`);
      }, BOUNDS.waitToldMs);
      return result.finally(() => clearTimeout(timer));
    };
  };
  const members = Object.entries(client).map(([name, member]) => [name, telling(member)]);
  return Object.freeze(Object.fromEntries(members)) as Client;
}
