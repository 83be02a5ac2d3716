import { randomBytes } from "node:crypto";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Turn } from "../ports.ts";
import type { RedisArgs } from "./redis-connection.ts";
import { SCRIPTS, type Script } from "./redis-scripts.ts";
import { keysOf } from "./redis-words.ts";

type Run = (partition: string, script: Script, keys: readonly string[], args: RedisArgs) => Promise<unknown>;

/**
 * Turns at writing a partition, which several engines ask for: a list of tickets, of which the first has its turn. Whoever leaves the list
 * announces the one that is first then. Whoever has waited in vain leaves too, and takes along the one that was first all the while.
 */
export class RedisTurns {
  readonly channel: string;
  readonly #run: Run;
  /** By ticket, what lets it go. */
  readonly #waiting = new Map<string, () => void>();

  constructor(channel: string, run: Run) {
    this.channel = channel;
    this.#run = run;
  }

  /** @throws where none is to be had, or not in time */
  async take(partition: string): Promise<Turn> {
    const ticket = randomBytes(12).toString("base64url");
    const called = new Promise<void>((resolve) => this.#waiting.set(ticket, resolve));
    try {
      const entered = [ticket, String(LIMITS.writeTurnMaxMs)];
      const first = String(await this.#run(partition, SCRIPTS.enter, [keysOf(partition).turns], entered));
      const waited = first !== ticket;
      if (waited && !(await isInTime(called))) {
        await this.#leave(partition, ticket, first);
        throw new AppError("store_unavailable", { reason: "Another engine kept its turn too long." });
      }
      return { waited, end: () => void this.#leave(partition, ticket, "") };
    } finally {
      this.#waiting.delete(ticket);
    }
  }

  /** A ticket is the first of its list now. */
  called(ticket: string): void {
    this.#waiting.get(ticket)?.();
  }

  /** @param stuck another that leaves too; "" for none */
  async #leave(partition: string, ticket: string, stuck: string): Promise<void> {
    try {
      await this.#run(partition, SCRIPTS.leave, [keysOf(partition).turns], [this.channel, ticket, stuck]);
    } catch {
      // Whoever comes next waits in vain, and once.
    }
  }
}

/** Whether it is called before it has waited too long. */
function isInTime(called: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), LIMITS.writeTurnWaitMs);
    void called.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
