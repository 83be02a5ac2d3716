import { type Logger, type LoggerOptions, pino } from "pino";
import type { LogLevel } from "./settings.ts";

/** Members that no record may show, on the first level and on the second. The engine logs none of them: this holds if somebody forgets. */
const SECRET_MEMBERS = [
  "authorization",
  "cookie",
  "headers",
  "body",
  "env_variables",
  "password",
  "secret",
  "secrets",
  "token",
  "value",
  "vars",
];

const OPTIONS: LoggerOptions = {
  base: null,
  redact: { paths: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`]), censor: "[redacted]" },
  serializers: { err: serialized },
};

/** The log: JSON lines on the standard output. */
export function createLogger(level: LogLevel, destination?: Parameters<typeof pino>[1]): Logger {
  return pino({ ...OPTIONS, level }, destination);
}

interface SerializedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: SerializedError;
}

/** What tells where an error came from. Whatever else hangs on it may hold what somebody sent, and stays out. */
function serialized(error: unknown, depth = 0): SerializedError {
  if (!(error instanceof Error)) return { type: typeof error, message: "something was thrown that is no error" };
  const { code } = error as NodeJS.ErrnoException;
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === "string" && { code }),
    ...(error.stack !== undefined && { stack: error.stack }),
    ...(error.cause !== undefined && depth < MAX_CAUSES && { cause: serialized(error.cause, depth + 1) }),
  };
}

const MAX_CAUSES = 5;
