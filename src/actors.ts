/** The names by which revisions, approvals and audit records say who did something. */

/** What the engine calls itself and whoever has no token of their own: nobody else may be called so in the audit log. */
const TAKEN_NAMES: ReadonlySet<string> = new Set(["root", "local", "engine", "anonymous", "auto-promotion", "git-push"]);

/** Of those, the two of somebody who may agree to promotions: the root token's holder, and everybody where no tokens are asked for. */
const OF_PEOPLE: ReadonlySet<string> = new Set(["root", "local"]);

/** Whether a name in the audit log would be taken for the engine, or for whoever has no token of their own. */
export function isTakenName(name: string): boolean {
  return TAKEN_NAMES.has(name.toLowerCase());
}

/**
 * Whether somebody of this name could ever agree to a promotion. The engine itself agrees to nothing, and no name begins or ends with a
 * space.
 */
export function canAgree(name: string): boolean {
  return OF_PEOPLE.has(name) || (!isTakenName(name) && name !== "" && name.trim() === name);
}

/**
 * Whose name it is: the same for `ada` and `Ada`, and for letters that are composed or not. A sibling engine, an identity
 * provider and a token may write one person's name differently, and nobody becomes two people by that.
 */
export function personOf(actor: string): string {
  return actor.normalize("NFKC").toLowerCase();
}

/** Each person once, as they are written first. */
export function people(actors: readonly string[]): string[] {
  const found = new Map<string, string>();
  for (const actor of actors) if (!found.has(personOf(actor))) found.set(personOf(actor), actor);
  return [...found.values()];
}
