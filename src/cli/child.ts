import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { systemCode } from "./failure.ts";

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The command is a line for the shell; the arguments are its `$1`, `$2`, … */
  readonly shell?: boolean;
}

export interface Started {
  /** `null` where the system did not even try. */
  readonly process: ChildProcess | null;
  /** What it ends with: its exit code, 128 and the signal that ended it, 127 where there is no such program, 126 where it is none. */
  readonly ended: Promise<number>;
  /** Why it did not start; `null` where it did. */
  readonly failure: () => string | null;
}

/** Starts a program at this terminal: it reads and writes what this process would. */
export function started({ command, args, env, shell = false }: Program): Started {
  const [file, given] = shell ? ["/bin/sh", ["-c", command, "sh", ...args]] : [command, args];
  let failure: string | null = null;
  let child: ChildProcess;
  try {
    child = spawn(file, given, { stdio: "inherit", env });
  } catch (error) {
    // Node tells of some refusals by an event, and throws others.
    failure = systemCode(error);
    if (failure === null) throw error;
    return { process: null, ended: Promise.resolve(126), failure: () => failure };
  }
  const ended = new Promise<number>((resolve) => {
    child.once("error", (error) => {
      // A signal that could not be sent is no start that failed.
      if (child.pid !== undefined) return;
      failure = systemCode(error) ?? error.message;
      resolve(failure === "ENOENT" ? 127 : 126);
    });
    child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
  });
  return { process: child, ended, failure: () => failure };
}

/** What is sent to this process is meant for its program. */
const FORWARDED: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];
/** A terminal sends these to everything that runs in its foreground, the program included. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT"];

/** Signals that end a program, unless it thinks better of it. */
const ENDING: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

/** Also where what is read, or what is printed, goes through a pipe: `cat list | envm run -- …`. */
function isAtTerminal(): boolean {
  return process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
}

export interface Forwarding {
  /** Whether somebody wanted it all to end. */
  readonly asked: () => boolean;
  readonly release: () => void;
}

/** Passes signals on to whatever `current` names, until released. */
export function forwardSignals(current: () => ChildProcess | null): Forwarding {
  let asked = false;
  const handlers = FORWARDED.map((signal) => {
    const handler = () => {
      asked ||= ENDING.includes(signal);
      if (isAtTerminal() && FROM_TERMINAL.includes(signal)) return;
      current()?.kill(signal);
    };
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  return {
    asked: () => asked,
    release: () => {
      for (const remove of handlers) remove();
    },
  };
}
