import type { JsonValue } from "./platform.ts";

/** Of the engine's replies, the members that the demo reads. */

export interface Created {
  readonly linked_version: string;
  readonly url: string;
  readonly stored: { readonly vars: readonly string[]; readonly secrets: readonly string[] };
  readonly secrets_unbound: readonly string[];
  readonly expires_at: string | null;
}

export interface Written {
  readonly version: string;
  readonly revision: number;
}

export interface Check {
  readonly name: string;
  readonly status: "passed" | "failed" | "warning" | "skipped";
  readonly reason: string;
  readonly fix?: string;
}

interface Diff {
  readonly entities_added: readonly string[];
  readonly logic_changed: number;
  readonly env_updated: readonly string[];
}

export interface Promoted {
  readonly version: string;
  readonly revision: number;
  readonly plan_id: string;
  readonly checks: readonly Check[];
  readonly diff_from_previous: Diff;
  /** Of a merge: the version whose changes came in. */
  readonly source_version?: string;
  /** Where it waits for approval, or did. */
  readonly promotion_id?: string;
}

export interface PolicyReply {
  readonly revision: number;
  readonly policy: { readonly environments?: Readonly<Record<string, JsonValue>> };
}

export interface WaitingPage {
  readonly items: readonly {
    readonly version: string;
    readonly source_env: string;
    readonly target_env: string;
    readonly requested_by: string;
    readonly missing: number;
  }[];
}

export interface Refused {
  readonly reason: string;
  readonly fix_suggestion: string;
  readonly details: { readonly checks: readonly Check[] };
}

export interface Reported {
  readonly sync_status?: string;
}

export interface RolledBack {
  readonly version: string;
  readonly revision: number;
  readonly diff_from_previous: Diff;
}

export interface Differences {
  readonly only_left: readonly string[];
  readonly only_right: readonly string[];
  readonly different: readonly { readonly name: string }[];
  readonly same_count: number;
}

export interface Comparison {
  readonly components: Differences;
  readonly vars: Differences;
  readonly flags: Differences;
  readonly secrets: Differences;
}

type Named = Readonly<Record<string, JsonValue>>;

export interface CollectionReply {
  readonly components: Named;
}

export interface Config {
  readonly vars: Named;
  readonly secrets: Named;
  readonly flags: Named;
}

export interface RevisionPage {
  readonly items: readonly {
    readonly revision: number;
    readonly version: string;
    readonly action: string;
    readonly message: string | null;
  }[];
}

export interface Verified {
  readonly valid: boolean;
  readonly records: number;
  readonly head: string;
}

export interface TokenReply {
  readonly role: string;
  readonly envs: readonly string[];
  readonly rights: readonly string[];
  readonly expires_at: string | null;
  readonly token: string;
}
