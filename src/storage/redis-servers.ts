import type { RedisArgs } from "./redis-connection.ts";
import type { RedisLink } from "./redis-link.ts";
import { RedisLinks } from "./redis-links.ts";
import type { RedisAddress, RedisTarget } from "./redis-url.ts";

/** A command, or what makes its words at the moment of sending. */
export type Command = RedisArgs | (() => RedisArgs);

/** The servers of one store: a single one, or the primaries of a cluster. */
export interface RedisServers {
  /** Sends a command to the server that has the keys with this hash tag. Rejects as `RedisLink.send` does. */
  send(tag: string, command: Command, bytes?: boolean): Promise<unknown>;
  /** One link to each that holds keys now. */
  readonly primaries: readonly RedisLink[];
  /** Looks which those are, and leaves those that are none any more. */
  refresh(): Promise<void>;
  close(): void;
}

/** @throws what the driver throws where the server cannot be reached */
export async function openSingle(target: RedisTarget, address: RedisAddress): Promise<RedisServers> {
  const links = new RedisLinks(target, address);
  await links.open();
  return {
    send: (tag, command, bytes) => links.of(tag).send(command, bytes),
    primaries: [links.first],
    refresh: () => links.leaveReplica(),
    close: () => links.close(),
  };
}
