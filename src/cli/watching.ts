import { setTimeout as delay } from "node:timers/promises";
import { connectEnvironment, type EnvironmentConnection } from "../sdk/connection.ts";
import { EnvmError } from "../sdk/errors.ts";
import { BOUNDS } from "./bounds.ts";
import { forwardSignals, type Started } from "./child.ts";
import type { Context } from "./context.ts";
import type { Variables } from "./variables.ts";

interface Watching {
  readonly first: Variables;
  readonly start: (given: Variables) => Started;
  readonly fetchAgain: () => Promise<Variables>;
}

/** Starts a program anew whenever its environment has another revision. Ends when the program ends by itself, as it does. */
export async function runWatched(context: Context, { first, start, fetchAgain }: Watching): Promise<number> {
  const news = new News();
  let running = first;
  let program = start(first);
  const forwarding = forwardSignals(() => program);
  const connection = connected(context, first.env, news, () => running.revision);
  try {
    for (;;) {
      const code = await Promise.race([program.ended, news.next()]);
      if (code !== null) return code;
      const next = await fetched(context, fetchAgain, news);
      if (next === null || next.revision === running.revision) continue;
      // It may have ended by itself meanwhile: then there is nothing to start anew.
      if (program.process?.exitCode !== null || program.process.signalCode !== null) continue;
      context.output.note(`${next.env} is ${next.version}, revision ${next.revision}: starting anew.`);
      const ended = await stopped(program);
      // Whoever wanted it all to end did not mean the old program alone.
      if (forwarding.asked()) return ended;
      running = next;
      program = start(next);
    }
  } finally {
    forwarding.release();
    connection.close();
    news.close();
  }
}

/** Follows the environment, and says where that is not possible any more: the program itself is left alone. */
function connected({ settings, output, project }: Context, env: string, news: News, running: () => number): EnvironmentConnection {
  const { url, token } = settings;
  const connection = connectEnvironment({ url, ...(token !== null && { token }), project, env });
  for (const event of ["ready", "changed", "current"] as const) connection.on(event, () => news.tell());
  const away = (reason = "no answer") => output.warn(`The engine is away (${reason}): the program goes on with revision ${running()}.`);
  connection.on("stale", ({ error }) => away(error?.reason));
  // Nothing is stale where nothing had come yet.
  connection.ready().catch(({ code, reason }: EnvmError) => code === "timeout" && away(reason));
  connection.on("closed", ({ error }) => {
    if (error === null) return;
    output.warn(`${error.reason} Changes are not followed any more; the program goes on with revision ${running()}.`);
    output.note(`  fix: ${error.code === "unauthorized" ? "Log in anew (envm login), and start envm run again." : error.fix}`);
  });
  return connection;
}

/** `null` where it cannot be had now; what passes is tried again. */
async function fetched({ output }: Context, fetchAgain: () => Promise<Variables>, news: News): Promise<Variables | null> {
  try {
    return await fetchAgain();
  } catch (error) {
    if (!(error instanceof EnvmError)) throw error;
    output.warn(`There is something newer, which cannot be read: ${error.reason}`);
    if (error.status === 0 || error.status >= 500) news.later(BOUNDS.watchRetryMs);
    return null;
  }
}

/** Asks the program, and what it started, to end, and ends them where they do not: what comes next finds their ports and files free. */
async function stopped(program: Started): Promise<number> {
  program.kill("SIGTERM");
  const timer = setTimeout(() => program.kill("SIGKILL"), BOUNDS.restartMs);
  const last = Date.now() + BOUNDS.restartMs;
  const code = await program.ended;
  // Of a group nobody hears that it is gone. What nobody collects, in a container that has no init, looks as though it were there.
  while (program.isThere() && Date.now() < last) await delay(BOUNDS.groupLookMs);
  clearTimeout(timer);
  if (program.isThere()) program.kill("SIGKILL");
  return code;
}

/** That there may be something new. What comes while nobody waits is told once. */
class News {
  #isNew = false;
  #wake: (() => void) | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  tell(): void {
    this.#isNew = true;
    this.#wake?.();
  }

  later(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.tell(), ms);
  }

  async next(): Promise<null> {
    while (!this.#isNew) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#isNew = false;
    return null;
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
