import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { systemCode } from "./failure.ts";

interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The command is a line for the shell; the arguments are its `$1`, `$2`, … */
  readonly shell?: boolean;
  /** It is the first of a group: what it starts is signalled with it, and nothing that the terminal sends to this process reaches them. */
  readonly ownGroup?: boolean;
}

export interface Started {
  /** `null` where the system did not even try. */
  readonly process: ChildProcess | null;
  readonly ownGroup: boolean;
  /** Sends it a signal, and to all of its group where it has one of its own. Nothing where it is gone. */
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Whether it, or anything of its own group, is still there. */
  readonly isThere: () => boolean;
  /** What it ends with: its exit code, 128 and the signal that ended it, 127 where there is no such program, 126 where it is none. */
  readonly ended: Promise<number>;
  /** Why it did not start; `null` where it did. */
  readonly failure: () => string | null;
}

/** Starts a program at this terminal: it reads and writes what this process would. */
export function started({ command, args, env, shell = false, ownGroup = false }: Program): Started {
  const [file, given] = shell ? ["/bin/sh", ["-c", command, "sh", ...args]] : [command, args];
  let failure: string | null = null;
  let child: ChildProcess;
  try {
    child = spawn(file, given, { stdio: "inherit", env, detached: ownGroup });
  } catch (error) {
    // Node tells of some refusals by an event, and throws others.
    failure = systemCode(error);
    if (failure === null) throw error;
    return { process: null, ownGroup, kill: () => {}, isThere: () => false, ended: Promise.resolve(126), failure: () => failure };
  }
  const send = (signal: NodeJS.Signals | 0): boolean => {
    if (!ownGroup) return child.kill(signal);
    try {
      return child.pid !== undefined && process.kill(-child.pid, signal);
    } catch {
      // Nobody of the group is left.
      return false;
    }
  };
  const ended = new Promise<number>((resolve) => {
    child.once("error", (error) => {
      // A signal that could not be sent is no start that failed.
      if (child.pid !== undefined) return;
      failure = systemCode(error) ?? error.message;
      resolve(failure === "ENOENT" ? 127 : 126);
    });
    child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
  });
  return { process: child, ownGroup, kill: send, isThere: () => send(0), ended, failure: () => failure };
}

/** What is sent to this process is meant for its program. */
const FORWARDED: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];
/** A terminal sends these to everything that runs in its foreground, a program in this process's group included. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT"];

/** And these, which a program in a group of its own hears of from this process alone. */
const OF_TERMINAL: readonly NodeJS.Signals[] = ["SIGWINCH", "SIGTSTP", "SIGCONT"];

/** Signals that end a program, unless it thinks better of it. */
const ENDING: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

/** Also where what is read, or what is printed, goes through a pipe: `cat list | envm run -- …`. */
function isAtTerminal(): boolean {
  return process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
}

interface Forwarding {
  /** Whether somebody wanted it all to end. */
  readonly asked: () => boolean;
  readonly release: () => void;
}

/** Passes signals on to whatever `current` names, until released: what the terminal has sent it already is not sent once more. */
export function forwardSignals(current: () => Started): Forwarding {
  let asked = false;
  const signals = current().ownGroup ? [...FORWARDED, ...OF_TERMINAL] : FORWARDED;
  const handlers = signals.map((signal) => {
    const handler = () => {
      asked ||= ENDING.includes(signal);
      const program = current();
      if (!program.ownGroup && isAtTerminal() && FROM_TERMINAL.includes(signal)) return;
      // What is in no foreground ignores being asked to stop.
      program.kill(signal === "SIGTSTP" ? "SIGSTOP" : signal);
      if (signal === "SIGTSTP") process.kill(process.pid, "SIGSTOP");
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
