/** Of the engine's replies, the members that the family's story reads besides those of `../replies.ts`. */

export interface EnvironmentReply {
  readonly version: string;
  readonly revision: number;
  readonly sync_status: string;
  readonly deployment: {
    readonly status: string;
    readonly version: string;
    readonly reason?: string;
    readonly url?: string;
    readonly version_id?: string;
  } | null;
  readonly hold: { readonly reason: string } | null;
}

export interface ReadyReply {
  readonly status: string;
  readonly checks: Readonly<Record<string, { readonly status: string; readonly last_error?: string }>>;
}

export interface SinksReply {
  readonly items: readonly {
    readonly name: string;
    readonly state: string;
    readonly head: number;
    readonly backlog: number;
    readonly last_error: { readonly reason: string } | null;
  }[];
}

export interface RefusedPromotion {
  readonly reason: string;
  readonly details: {
    readonly checks: readonly {
      readonly name: string;
      readonly details?: { readonly errors?: readonly { readonly component: string; readonly field: string; readonly reason: string }[] };
    }[];
  };
}

export interface Unavailable {
  readonly reason: string;
  readonly fix_suggestion: string;
}

export interface Previewed {
  readonly linked_version: string;
  readonly url: string;
  readonly warning?: string;
}
