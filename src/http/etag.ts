import { createHash } from "node:crypto";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

/** Entity tags (RFC 9110 §8.8.3, §13). Inside the engine a tag is a bare word; only here does it get its quotes. */

/** Any character but quotes, spaces and controls. */
const TAG = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;

export function quoteTag(tag: string): string {
  return `"${tag}"`;
}

/** A tag for a reply that has none of its own. */
export function tagOfBody(body: string): string {
  return createHash("sha256").update(body).digest("hex").slice(0, 32);
}

/** Whether a reader that sent `If-None-Match` has this representation already. Weak comparison; nonsense matches nothing. */
export function noneMatchHits(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return elements(header).some((element) => TAG.exec(element)?.[2] === tag);
}

/**
 * The tags of an `If-Match` header without their quotes, `["*"]` for any, `null` where the header is absent. Weak tags
 * never match strongly, so they are left out: a list of nothing else is empty and fails every comparison.
 * @throws invalid_request
 */
export function parseIfMatch(header: string | undefined): readonly string[] | null {
  if (header === undefined) return null;
  if (header.trim() === "*") return ["*"];
  const tags: string[] = [];
  for (const element of elements(header)) {
    const found = TAG.exec(element);
    if (found === null) {
      throw new AppError("invalid_request", {
        reason: "The If-Match header is not a list of entity tags.",
        fix: 'Send the ETag of the read as it came, with its double quotes, for example If-Match: "9f2c1e7a".',
      });
    }
    if (found[1] === undefined) tags.push(found[2] ?? "");
  }
  return tags;
}

/** Splits at commas outside quotes. */
function elements(header: string): string[] {
  return (header.match(/(?:W\/)?"[^"]*"|[^,\s]+/g) ?? []).slice(0, LIMITS.entityTags);
}
