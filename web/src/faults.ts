import { EnvmError } from "../../src/sdk/errors.ts";

/** What went wrong, for a person. */
export interface Fault {
  readonly kind: "signed-out" | "forbidden" | "missing" | "refused" | "away" | "broken";
  readonly happened: string;
  readonly unaffected: string | null;
  readonly todo: string | null;
  /** The same for whoever uses the API: the engine's advice, where it names a request. */
  readonly byApi: string | null;
  readonly requestId: string | null;
}

/** @param isRead whether it is tried again by itself, as reads are: what somebody did, somebody has to do again */
export function faultOf(error: unknown, isRead = true): Fault {
  if (error instanceof EnvmError) return faultOfReply(error, isRead);
  const happened = error instanceof Error ? `The page itself failed: ${error.message}` : "The page itself failed.";
  return {
    kind: "broken",
    happened,
    unaffected: "Nothing was changed by that.",
    todo: "Load the page again. If it fails again, tell whoever runs the engine.",
    byApi: null,
    requestId: null,
  };
}

/** Advice that names a request or a field of one is for programs. */
const FOR_PROGRAMS = /\b(?:GET|POST|PUT|PATCH|DELETE) \/|"\w+":/;

function faultOfReply(error: EnvmError, isRead: boolean): Fault {
  const kind = kindOf(error);
  const isForPrograms = FOR_PROGRAMS.test(error.fix);
  const advice = error.fix === "" || isForPrograms ? null : error.fix;
  const rest = { kind, byApi: isForPrograms ? error.fix : null, requestId: error.requestId };
  switch (kind) {
    case "signed-out":
      return { ...rest, happened: "You are not logged in any more.", unaffected: "What was saved is saved.", todo: null };
    case "forbidden":
      return {
        ...rest,
        happened: error.message,
        unaffected: "Nothing was changed.",
        todo: advice ?? "Ask an administrator of the project.",
      };
    case "away":
      return {
        ...rest,
        happened: error.status === 0 || isOfSomethingElse(error) ? "The engine cannot be reached." : error.message,
        unaffected: "Applications keep the configuration that they have. What was saved is saved.",
        todo: `${isRead ? "It is tried again by itself" : "Try again in a moment"}. If this lasts, tell whoever runs the engine.`,
      };
    case "broken":
      return {
        ...rest,
        happened: "Something went wrong inside the engine.",
        unaffected: "Nothing was changed by this request.",
        todo: `Try again. If it fails again, ${error.requestId === null ? "tell whoever runs the engine" : "give whoever runs the engine the number below"}.`,
      };
    case "missing":
      return {
        ...rest,
        happened: error.message,
        unaffected: null,
        todo: advice ?? "It may have ended, or its address may have been copied only in part.",
      };
    default:
      return { ...rest, happened: error.message, unaffected: "Nothing was changed.", todo: advice };
  }
}

function kindOf(error: EnvmError): Fault["kind"] {
  const { status, code } = error;
  if (status === 0 || status === 503 || isOfSomethingElse(error)) return "away";
  if (status === 401) return "signed-out";
  if (status === 403 && code !== "self_approval") return "forbidden";
  if (status === 404 || status === 410) return "missing";
  return status >= 500 ? "broken" : "refused";
}

/** What stands before the engine says that it does not get through to it. */
function isOfSomethingElse({ status, code }: EnvmError): boolean {
  return code === "invalid_answer" && status >= 502 && status <= 504;
}

export function isSignedOut(error: unknown): boolean {
  return error instanceof EnvmError && error.status === 401;
}
