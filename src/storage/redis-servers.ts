import type { RedisArgs } from "./redis-connection.ts";
import { RedisLink } from "./redis-link.ts";
import type { RedisAddress, RedisTarget } from "./redis-url.ts";

/** A command, or what makes its words at the moment of sending. */
export type Command = RedisArgs | (() => RedisArgs);

/** The servers of one store: a single one, or the primaries of a cluster. */
export interface RedisServers {
  /** Sends a command to the server that has the keys with this hash tag. Rejects as `RedisLink.send` does. */
  send(tag: string, command: Command, bytes?: boolean): Promise<unknown>;
  /** Those that hold keys now. */
  readonly primaries: readonly RedisLink[];
  /** Looks which those are. */
  refresh(): Promise<void>;
  close(): void;
}

/** @throws what the driver throws where the server cannot be reached */
export async function openSingle(target: RedisTarget, address: RedisAddress): Promise<RedisServers> {
  const link = new RedisLink(target, address);
  await link.open();
  return {
    send: (_tag, command, bytes) => link.send(command, bytes),
    primaries: [link],
    refresh: async () => {},
    close: () => link.close(),
  };
}
