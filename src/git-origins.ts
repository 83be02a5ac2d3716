/** A commit of somebody's repository, as a revision that came from it names it. What it says of its author is the repository's word. */
export interface Commit {
  /** 40 or 64 hexadecimal digits. */
  readonly id: string;
  readonly author: string;
  readonly email: string;
  /** When it was authored, ISO 8601 in UTC. */
  readonly at: string;
  readonly message: string;
}

/** Where a revision came from: the commit's author beside `created_by`, who brought it in. */
export interface GitOrigin {
  readonly commit: string;
  readonly author: string;
  readonly email: string;
  readonly authored_at: string;
  /** Whether its history was rewritten since the commit before was pulled, and that was accepted. */
  readonly rewritten?: true;
}

export function originOf({ id, author, email, at }: Commit, rewritten: boolean): GitOrigin {
  return { commit: id, author, email, authored_at: at, ...(rewritten && { rewritten }) };
}
