import { hash } from "node:crypto";
import { AppError } from "./errors.ts";
import type { Environment, Revision } from "./model.ts";
import { quoted } from "./names.ts";

/** A read of one revision whose strong tag is known before its content is loaded, so that "not modified" costs nothing. */
export interface TaggedRead {
  readonly project_id: string;
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  readonly tag: string;
  /** Where the store cannot be reached: how many milliseconds ago this was known to be current. */
  readonly ageMs?: number;
  /** The reply's body. */
  load(): Promise<unknown>;
}

/** The same where the body may be of any size. */
export interface PiecewiseRead extends Omit<TaggedRead, "load"> {
  /** The reply's body, as the pieces of its JSON: each is made when it is asked for. */
  pieces(): AsyncIterable<string>;
}

/**
 * Names everything that state and config reads of one revision show: 32 hexadecimal digits. Its own number changes with what reads show, so
 * that nobody takes what an older engine showed for it.
 */
export function headTag(
  project: string,
  shown: Pick<Environment | Revision, "env" | "revision" | "version" | "platform" | "config">,
): string {
  const parts = [project, shown.env, shown.revision, shown.version, shown.platform, shown.config];
  return hash("sha256", `env-etag-2\0${parts.join("\0")}`, "hex").slice(0, 32);
}

/**
 * Whether a write may go on: it has no `If-Match` (`null`), or one that names what is there.
 * @throws precondition_failed where it names weak tags alone, of which the engine gives none: what changed is not what is wrong
 */
export function isMatch(ifMatch: readonly string[] | null, tag: () => string): boolean {
  if (ifMatch?.length === 0) {
    throw new AppError("precondition_failed", {
      reason:
        "The If-Match header has no strong entity tag, and weak ones (W/) match nothing. The engine gives none: a proxy that compresses replies weakens theirs.",
      fix: 'Send the tag without its W/, for example If-Match: "9f2c1e7a", or read without Accept-Encoding.',
    });
  }
  return ifMatch === null || ifMatch.includes("*") || ifMatch.includes(tag());
}

/** Refuses a write whose `If-Match` names another state than the head. @throws precondition_failed */
export function checkPrecondition(project: string, head: Environment, ifMatch: readonly string[] | null): void {
  if (isMatch(ifMatch, () => headTag(project, head))) return;
  throw new AppError("precondition_failed", {
    reason: `The environment ${quoted(head.env)} changed since it was read: it is at revision ${head.revision} now.`,
    fix: "Read its state or config again, apply your change to what you read, and send that with the ETag of this read.",
    details: { revision: head.revision, version: head.version },
  });
}
