import { EnvmError } from "../../src/sdk/errors.ts";

/** What went wrong, for a person. */
export interface Fault {
  readonly kind: "signed-out" | "forbidden" | "missing" | "refused" | "away" | "broken";
  readonly happened: string;
  readonly unaffected: string | null;
  readonly todo: string | null;
  readonly requestId: string | null;
}

export function faultOf(error: unknown): Fault {
  if (error instanceof EnvmError) return faultOfReply(error);
  const happened = error instanceof Error ? `The page itself failed: ${error.message}` : "The page itself failed.";
  return {
    kind: "broken",
    happened,
    unaffected: "Nothing was changed by that.",
    todo: "Load the page again. If it fails again, tell whoever runs the engine.",
    requestId: null,
  };
}

function faultOfReply(error: EnvmError): Fault {
  const kind = kindOf(error);
  const { requestId } = error;
  const todo = error.fix === "" ? null : error.fix;
  switch (kind) {
    case "signed-out":
      return { kind, happened: "You are not logged in any more.", unaffected: "What was saved is saved.", todo: null, requestId };
    case "forbidden":
      return {
        kind,
        happened: error.message,
        unaffected: "Nothing was changed.",
        todo: todo ?? "Ask an administrator of the project.",
        requestId,
      };
    case "away":
      return {
        kind,
        happened: error.status === 0 ? "The engine cannot be reached." : error.message,
        unaffected: "Applications keep the configuration that they have. What was saved is saved.",
        todo: "It is tried again by itself. If this lasts, tell whoever runs the engine.",
        requestId,
      };
    case "broken":
      return {
        kind,
        happened: "Something went wrong inside the engine.",
        unaffected: "Nothing was changed by this request.",
        todo: "Try again. If it fails again, give whoever runs the engine the number below.",
        requestId,
      };
    default:
      return { kind, happened: error.message, unaffected: kind === "refused" ? "Nothing was changed." : null, todo, requestId };
  }
}

function kindOf({ status, code }: EnvmError): Fault["kind"] {
  if (status === 0 || status === 503) return "away";
  if (status === 401) return "signed-out";
  if (status === 403 && code !== "self_approval") return "forbidden";
  if (status === 404 || status === 410) return "missing";
  return status >= 500 ? "broken" : "refused";
}

export function isSignedOut(error: unknown): boolean {
  return error instanceof EnvmError && error.status === 401;
}
