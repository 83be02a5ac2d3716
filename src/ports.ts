/** What the domain asks of the world. Adapters in `storage/`, `vault/` and `engines/` implement these and nothing more. */

/** Any JSON value. Numbers are finite; strings hold no lone surrogates. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [member: string]: Json;
}

/** A document's key inside its partition, for example `env/staging`. Keys order by their UTF-8 bytes. */
export type Key = string;

/** A SHA-256 digest as 64 lower-case hexadecimal digits. */
export type Hash = string;

export interface Entry<Value = Json> {
  readonly key: Key;
  readonly value: Value;
  /** The partition's revision at the commit that last put this document. */
  readonly revision: number;
}

/** A contiguous run of keys: `prefix` narrowed by `after`/`from` (lower bounds) and `before` (upper bound, exclusive). */
export interface Range {
  readonly prefix: string;
  /** Only keys greater than this one. */
  readonly after?: Key;
  /** Only keys equal to or greater than this one. */
  readonly from?: Key;
  /** Only keys smaller than this one. */
  readonly before?: Key;
  /** At most this many entries. */
  readonly limit: number;
  /** Greatest key first. */
  readonly reverse?: boolean;
}

/** A content-addressed, immutable byte string. */
export interface StoredObject {
  readonly hash: Hash;
  readonly data: Uint8Array;
  /** The object whose place this one takes, or one that it may resemble: a hint from which a backend may encode a delta. Never needed to read it. */
  readonly replaces?: Hash;
}

/** One condition of a commit: the document's revision, or `null` for "must not exist". */
export interface Check {
  readonly key: Key;
  readonly revision: number | null;
}

export interface Put<Value = Json> {
  readonly key: Key;
  readonly value: Value;
  /** The value's canonical JSON, where whoever puts it has written that already. */
  readonly text?: string | undefined;
}

/** Everything that one commit does to one partition, in one atomic and durable step. */
export interface Change<Value = Json> {
  readonly checks: readonly Check[];
  readonly puts: readonly Put<Value>[];
  readonly deletes: readonly Key[];
  readonly objects: readonly StoredObject[];
  readonly objectDeletes: readonly Hash[];
}

/** `ok: false` is a lost race: nothing was written. `revision` is the partition's new revision. */
export type CommitResult = { readonly ok: true; readonly revision: number } | { readonly ok: false };

export interface ObjectInfo {
  readonly hash: Hash;
  /** When it was last put, in milliseconds since 1970 by the store's clock. */
  readonly storedAt: number;
  /** Its size in bytes, however it is stored. */
  readonly size: number;
}

export interface Objects {
  /** One answer for each hash, in the order asked; `null` where there is none. */
  get(partition: string, hashes: readonly Hash[]): Promise<readonly (Uint8Array | null)[]>;
  /** Durable on return. Putting an object again renews its `storedAt`. */
  put(partition: string, objects: readonly StoredObject[]): Promise<void>;
  /** By ascending hash, those greater than `after` (all when `null`). */
  list(partition: string, after: Hash | null, limit: number): Promise<readonly ObjectInfo[]>;
}

export interface WatchHandlers {
  /** A commit to `partition` became durable. Several may be reported as one, with the newest revision. */
  onChange(partition: string, revision: number): void;
  /** Some changes may have been missed: whoever caches must look again. */
  onGap(): void;
}

export interface Subscription {
  close(): void;
}

export interface Turn {
  /** Whether another engine had one first. */
  readonly waited: boolean;
  /** Lets the next one have it. */
  end(): void;
}

/**
 * Partitioned documents with check-and-commit, and content-addressed objects.
 *
 * A throw from `commit` means that the outcome is *unknown* unless the error's code says otherwise
 * (`storage_full`, `too_large` and the like: nothing was written). `Value` is `Json` for the domain and
 * canonical JSON text for a backend; `storage/checked.ts` stands between the two.
 */
interface StoreOf<Value> {
  /** One consistent read: one answer for each key, in the order asked. */
  get(partition: string, keys: readonly Key[]): Promise<readonly (Entry<Value> | null)[]>;
  list(partition: string, range: Range): Promise<readonly Entry<Value>[]>;
  /** The newest revision of each partition, 0 for one that was never written. */
  revision(partitions: readonly string[]): Promise<readonly number[]>;
  commit(partition: string, change: Change<Value>): Promise<CommitResult>;
  readonly objects: Objects;
  watch(handlers: WatchHandlers): Subscription;
  /** The store's clock, which every instance shares. */
  now(): Promise<Date>;
  /**
   * Where several engines may write the store: a turn at one partition, in the order in which they asked for it. It is advice: no commit needs
   * one, and none is refused for want of it.
   * @throws where none is to be had in time
   */
  turn?(partition: string): Promise<Turn>;
  /**
   * Why it takes no writes for want of room, in words that may be shown to anybody, as far as that can be told without writing; `null` where
   * nothing says so. Reads go on meanwhile.
   */
  full?(): string | null;
  close(): Promise<void>;
}

export type Store = StoreOf<Json>;
/** What a database adapter implements: documents are canonical JSON text, arguments are already checked. */
export type Backend = StoreOf<string>;

/** A branch of a repository elsewhere. */
export interface RemoteBranch {
  readonly url: string;
  readonly branch: string;
  /** The folder in the repository; empty for its root. */
  readonly path: string;
  readonly credential: { readonly username: string; readonly password: string } | null;
}

/** What an environment has of it. */
export interface PulledBefore {
  readonly project: string;
  readonly env: string;
  /** What was pulled last, from which folder, and the environment's revision since then. */
  readonly pulled: { readonly commit: string; readonly path: string; readonly revision: number } | null;
  /** A history that was rewritten is taken, and another folder. */
  readonly rewritten: boolean;
}

/** What the newest commit of a branch brings: all that it holds, or what changed since `from`. */
export interface RepositoryChange {
  readonly commit: { readonly id: string; readonly author: string; readonly email: string; readonly at: string; readonly message: string };
  readonly path: string;
  readonly from?: string;
  readonly base_revision?: number;
  readonly rewritten?: boolean;
  readonly set: JsonObject;
  readonly remove: readonly string[];
  readonly vars: JsonObject;
  readonly flags: JsonObject;
  readonly evaluators: JsonObject;
  readonly flag_metadata: JsonObject;
  readonly unset: readonly string[];
  readonly secrets: readonly string[];
}

/** The way to repositories of others. */
export interface Repositories {
  /** @throws target_not_allowed where the engine may not fetch from that address, as far as can be told now */
  check(url: string): Promise<void>;
  /** @throws repository_unavailable, branch_not_found, invalid_repository, history_rewritten, target_not_allowed, too_large */
  changeSince(branch: RemoteBranch, before: PulledBefore, signal: AbortSignal): Promise<RepositoryChange>;
}

/** Where one secret value is kept: never shared by two environments, never reused. */
export interface SecretEntry {
  readonly project: string;
  readonly env: string;
  readonly name: string;
  /** Random; tells one value of a secret from the next. */
  readonly id: string;
}

/** Keeps secret values. Every value is a new entry, so that rollback finds the old one. */
export interface Vault {
  put(entry: SecretEntry, value: string): Promise<void>;
  /** `null` where the entry does not exist. */
  get(entry: SecretEntry): Promise<string | null>;
  /** Whether the entry exists, for vaults that can tell without handing out its value. */
  has?(entry: SecretEntry): Promise<boolean>;
  /** Deleting what does not exist succeeds. */
  delete(entry: SecretEntry): Promise<void>;
  /**
   * A keyed fingerprint of a value (64 hexadecimal digits): equal within one project for equal values, and of
   * no use to whoever lacks the vault's key.
   */
  fingerprint(project: string, value: string): Promise<string>;
}

/** Wall-clock time for code that has no store at hand; tests replace it. */
export interface Clock {
  now(): Date;
}

/** What the Validation engine says of one flow: valid where there are no errors. */
export interface Verdict {
  readonly errors: readonly { readonly field: string; readonly reason: string }[];
  readonly warnings: readonly { readonly field: string; readonly reason: string }[];
}

export interface Validator {
  /** @throws engine_unavailable where it cannot be asked, or its answer cannot be understood */
  check(blueprint: Json, requestId: string): Promise<Verdict>;
}

export interface PreviewOrder {
  readonly project: string;
  readonly env: string;
  readonly version: string;
  /** The id of what the preview shows. */
  readonly snapshot: Hash;
}

/** Makes previews that a browser can open. */
export interface PreviewBuilder {
  /** The preview's URL; `null` where none is built. Asked again for the same, it answers the same. @throws engine_unavailable */
  build(order: PreviewOrder, requestId: string): Promise<string | null>;
}

export interface DeployOrder {
  /** `<project>:<seq>` of the record that made the head: the same order has the same id, however often it is given. */
  readonly id: string;
  readonly project: string;
  readonly env: string;
  readonly version: string;
  /** Who made what is deployed. */
  readonly deployer: string;
}

export type DeployOutcome =
  | { readonly ok: true; readonly versionId?: string; readonly url?: string }
  | { readonly ok: false; readonly reason: string; readonly stage: string | null; readonly fix: string | null };

export interface Deployer {
  /** Deploys what should run. @throws engine_unavailable where what became of it is not known */
  deploy(order: DeployOrder, requestId: string, signal: AbortSignal): Promise<DeployOutcome>;
}

export interface ApprovalRequest {
  /** `<project>:<seq>` of the audit record: the same request has the same id. */
  readonly id: string;
  readonly project: string;
  readonly promotion: string;
  readonly source: string;
  readonly target: string;
  readonly version: string;
  readonly requestedBy: string;
  readonly needed: number;
}

/** Tells people elsewhere that somebody waits for their word. */
export interface FeedbackLoop {
  /** @throws engine_unavailable */
  ask(request: ApprovalRequest, signal: AbortSignal): Promise<Sent>;
}

/** One entry of the audit log, `audit/<seq>`. `hash` covers all other members and `prev_hash`. */
export interface AuditRecord {
  readonly project: string;
  readonly seq: number;
  readonly prev_hash: Hash;
  readonly action: string;
  readonly actor: string;
  /** Whose token it was, where a sibling engine acted for the actor. */
  readonly subject: string;
  /** The token's id. */
  readonly token: string;
  readonly at: string;
  readonly environment: string | null;
  readonly version: string | null;
  readonly revision: number | null;
  readonly request_id: string;
  readonly details: JsonObject;
  readonly hash: Hash;
}

/** What became of a record or an alert: the other side has it, or said that it will never take it. */
export type Sent = "taken" | { readonly refused: string };

/** What a person should look at now. */
export interface Alert {
  readonly project: string;
  readonly severity: "critical" | "warning";
  readonly message: string;
  /** Who or what brought it about. */
  readonly triggered_by: string;
  readonly request_id: string;
}

/** Where every project's audit log is sent, record by record and in order. A record may come twice: `<project>:<seq>` tells. */
export interface Sink {
  readonly name: string;
  /** @throws engine_unavailable, target_not_allowed and the like where it is to be tried again later */
  send(record: AuditRecord, signal: AbortSignal): Promise<Sent>;
  /** Where there is somebody to alert. */
  alert?(alert: Alert, signal: AbortSignal): Promise<Sent>;
}

/** What a webhook is sent: the attributes of a CloudEvent, and its data. */
export interface WebhookEvent {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly subject: string | null;
  readonly time: string;
  readonly data: JsonObject;
}

/** What a receiver answered. */
export interface WebhookReply {
  readonly status: number;
  /** Milliseconds after which it may be asked again; `null` where it does not say. */
  readonly retryAfterMs: number | null;
}

/** The way to one receiver, for a few events. */
export interface WebhookConnection {
  /**
   * Signed with each of the secrets, as of `at`. Resolves with the reply, whatever it is.
   * @throws engine_unavailable, target_not_allowed
   */
  send(event: WebhookEvent, secrets: readonly string[], at: Date, signal: AbortSignal): Promise<WebhookReply>;
  close(): Promise<void>;
}

export interface WebhookDeliverer {
  /** @throws target_not_allowed where events may not be sent to that URL, as far as can be told now */
  check(url: string): Promise<void>;
  /** @throws target_not_allowed */
  open(url: string): WebhookConnection;
}

/** A repository elsewhere that a project is pushed to. */
export interface MirrorTarget {
  readonly url: string;
  readonly username: string | null;
  /** The public keys that an ssh host may show. */
  readonly host_keys: readonly string[];
  /** A token for https, a private key for ssh. */
  readonly credential: string | null;
}

export interface MirrorPusher {
  /** @throws target_not_allowed, invalid_request where nothing could be pushed there, as far as can be told now */
  check(target: MirrorTarget): Promise<void>;
  /**
   * Pushes everything that is recorded, over nobody's commits, and says up to which record that was.
   * @throws mirror_unavailable, mirror_diverged, target_not_allowed, git_unavailable where it is to be tried again later
   */
  push(project: string, target: MirrorTarget, signal: AbortSignal): Promise<number>;
}
