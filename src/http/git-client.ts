import type { Failure } from "./errors.ts";

/** What a client of Git is told differently: how to show its token, and what went wrong. */

const PATH = /^\/git(?:\/|$)/;

export function isGit(target: string): boolean {
  return PATH.test(target);
}

/** What such a client is asked for: it has names and passwords alone. */
export const GIT_CHALLENGE = 'Basic realm="environment-manager: any name, with a token as password", charset="UTF-8"';

/** The token in a name and password: the password, or the name where there is no other. `null` for another kind of header. */
export function basicToken(header: string): string | null {
  const [, encoded] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header) ?? [];
  if (encoded === undefined) return null;
  const pair = Buffer.from(encoded, "base64").toString("utf8");
  const colon = pair.indexOf(":");
  const [name, password] = colon < 0 ? [pair, ""] : [pair.slice(0, colon), pair.slice(colon + 1)];
  return password || name || null;
}

/** The same failure as plain text, which git shows to whoever runs it. */
export function gitFailure({ status, headers, body: { code, reason, fix_suggestion } }: Failure) {
  const fix = code === "unauthorized" ? "Git asks for a name and a password: give any name, and a token as the password." : fix_suggestion;
  return { status, headers, text: `${reason}\n${fix}\n` };
}
