import { AppError } from "./errors.ts";
import type { Bump } from "./model.ts";
import { quoted } from "./names.ts";

/** Version labels `v<major>.<minor>.<patch>`: parsing, ordering, bumping. Pure. */

export type Semver = readonly [major: number, minor: number, patch: number];

/** The label of the empty platform. */
export const FIRST_LABEL = "v0.1.0";

const EXACT = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})$/;
const PREFIX = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?$/;

/** A full label in its one spelling: `2.3.1` and `v2.3.1` both give `v2.3.1`. */
export function exactLabel(text: string): string {
  const found = EXACT.exec(text);
  if (found === null) {
    throw new AppError("invalid_version", {
      reason: `${quoted(text)} is not a version.`,
      fix: "Give all three numbers, of at most nine digits each, for example `v2.3.1`.",
    });
  }
  return formatLabel([Number(found[1]), Number(found[2]), Number(found[3])]);
}

/** The numbers of a label or of a prefix of one: `v2.9` gives `[2, 9]`; `null` where the text is neither. */
export function labelPrefix(text: string): readonly number[] | null {
  const found = PREFIX.exec(text);
  if (found === null) return null;
  return found
    .slice(1)
    .filter((part) => part !== undefined)
    .map(Number);
}

export function parseLabel(label: string): Semver {
  const found = EXACT.exec(label);
  if (found === null) throw new Error(`stored label ${quoted(label)} is corrupt`);
  return [Number(found[1]), Number(found[2]), Number(found[3])];
}

export function formatLabel([major, minor, patch]: Semver): string {
  return `v${major}.${minor}.${patch}`;
}

/** The greatest number that a label holds: nine digits, as `EXACT` reads them. */
const GREATEST = 999_999_999;

/**
 * The nth candidate for a new label after `base`, counting from 1: bumping once is the first, twice the second. `null`
 * where its numbers would be too large for a label.
 */
export function bumped(base: Semver, bump: Bump, times: number): Semver | null {
  const [major, minor, patch] = base;
  const next: Semver =
    bump === "major" ? [major + times, 0, 0] : bump === "minor" ? [major, minor + times, 0] : [major, minor, patch + times];
  return Math.max(...next) > GREATEST ? null : next;
}
