import { AppError } from "./errors.ts";
import { FifoMap } from "./fifo-map.ts";
import { documentsOf } from "./heads.ts";
import { keys, sinkKeys, sinkPartition } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { MIRROR, MirrorOutlet } from "./mirror-outlet.ts";
import type { Caller } from "./model.ts";
import { checkProject, quoted } from "./names.ts";
import type { Json, JsonObject, MirrorPusher, MirrorTarget, Store } from "./ports.ts";
import type { SecretReference, Secrets } from "./secrets.ts";
import { type Project, projectNotFound, type Transaction } from "./transaction.ts";

/** Where the credentials of mirrors stand among secrets of environments, none of which can have this name. */
const ENV = "_mirror";
const CREDENTIAL = "credential";

interface MirrorRequest {
  readonly url: string;
  readonly username?: string | undefined;
  /** A token or password for https. */
  readonly token?: string | undefined;
  /** A private key for ssh, in OpenSSH's format. */
  readonly ssh_key?: string | undefined;
  /** The host's public keys, each as `ssh-ed25519 AAAA…`. */
  readonly host_keys?: readonly string[] | undefined;
}

/** The document `mirror`. */
interface MirrorDocument {
  readonly url: string;
  readonly username: string | null;
  readonly host_keys: readonly string[];
  readonly credential: SecretReference | null;
  /** The number of the audit record before its own: that one is the first to be sent there. */
  readonly from: number;
  readonly updated_at: string;
  readonly updated_by: string;
}

/** A mirror as it is shown: never its credential. */
interface MirrorView {
  readonly project_id: string;
  readonly url: string;
  readonly username: string | null;
  readonly host_keys: readonly string[];
  readonly has_credential: boolean;
  readonly updated_at: string;
  readonly updated_by: string;
}

/** Up to which record everything was pushed to a mirror, since it was set. */
interface Pushed {
  readonly since: string;
  readonly upTo: number;
}

/** A project's repository elsewhere, which is pushed what happens here. */
export class Mirrors {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #secrets: Secrets;
  readonly #pusher: MirrorPusher | null;
  /** By project: what a push of an earlier turn brought there. A push may take longer than a turn. */
  readonly #pushed = new FifoMap<string, Pushed>();

  /** Without a pusher, nothing is pushed from here. */
  constructor(store: Store, ledger: Ledger, secrets: Secrets, pusher: MirrorPusher | null) {
    this.#store = store;
    this.#ledger = ledger;
    this.#secrets = secrets;
    this.#pusher = pusher;
  }

  /** Takes the place of the mirror that there was, its credential too. */
  async set(caller: Caller, project: string, request: MirrorRequest): Promise<MirrorView> {
    checkProject(project);
    return this.#ledger.once(project, caller, () => this.#set(caller, project, request));
  }

  async #set(caller: Caller, project: string, request: MirrorRequest): Promise<MirrorView> {
    const credential = request.token ?? request.ssh_key;
    await this.#available().check({ ...targetOf(request), credential: credential ?? null });
    await this.#find(project);
    const values = new Map(credential === undefined ? [] : [[CREDENTIAL, { value: credential }]]);
    return this.#secrets.within(caller, project, ENV, values, async (tx, references) => {
      await tx.existingProject();
      const before = await tx.get<MirrorDocument>(keys.mirror);
      this.#release(tx, before);
      const { url, username, host_keys } = targetOf(request);
      const record = await tx.audit({ action: "mirror_set", details: { url, username, credential: credential !== undefined } });
      const mirror: MirrorDocument = {
        url,
        username,
        host_keys,
        credential: references.get(`secrets/${CREDENTIAL}`) ?? null,
        from: before?.from ?? record.seq - 1,
        updated_at: tx.now,
        updated_by: caller.actor,
      };
      tx.put(keys.mirror, mirror);
      return viewOf(project, mirror);
    });
  }

  /** @throws project_not_found, mirror_not_found */
  async view(project: string): Promise<MirrorView> {
    checkProject(project);
    const mirror = await this.#find(project);
    if (mirror === null) throw mirrorNotFound(project);
    return viewOf(project, mirror);
  }

  async remove(caller: Caller, project: string): Promise<{ readonly status: "removed"; readonly project_id: string }> {
    checkProject(project);
    const reply = await this.#ledger.once(project, caller, () =>
      this.#ledger.write(project, caller, async (tx) => {
        await tx.existingProject();
        const mirror = await tx.get<MirrorDocument>(keys.mirror);
        if (mirror === null) throw mirrorNotFound(project);
        this.#release(tx, mirror);
        tx.delete(keys.mirror);
        await tx.audit({ action: "mirror_removed", details: { url: mirror.url } });
        return { status: "removed" as const, project_id: project };
      }),
    );
    // Not that of a mirror which somebody has set since, where the same request comes again.
    if ((await this.find(project)) !== null) return reply;
    const deletes = [sinkKeys.state(MIRROR)];
    await this.#store.commit(sinkPartition(project), { checks: [], puts: [], deletes, objects: [], objectDeletes: [] });
    return reply;
  }

  /** Whether there is anything to be sent to. */
  async has(project: string): Promise<boolean> {
    return this.#pusher !== null && (await this.#ledger.standing(project).getAll([keys.mirror]))[0] !== null;
  }

  async find(project: string): Promise<MirrorDocument | null> {
    return (await documentsOf(this.#store, project).getAll<MirrorDocument>([keys.mirror]))[0] ?? null;
  }

  /** For one turn of a sender; `null` where there is no mirror. */
  async outlet(project: string): Promise<MirrorOutlet | null> {
    const mirror = await this.find(project);
    const pusher = this.#pusher;
    if (mirror === null || pusher === null) return null;
    const since = mirror.updated_at;
    const known = this.#pushed.get(project);
    const push = async (signal: AbortSignal) => {
      const upTo = await pusher.push(project, await this.#target(project, mirror), signal);
      this.#noteAsPushed(project, { since, upTo });
      return upTo;
    };
    return new MirrorOutlet({ from: mirror.from, since, pushed: known?.since === since ? known.upTo : 0, push });
  }

  #noteAsPushed(project: string, pushed: Pushed): void {
    this.#pushed.set(project, pushed);
    const oldest = this.#pushed.oldest();
    if (oldest !== undefined && this.#pushed.size > LIMITS.mirrorsKnown) this.#pushed.delete(oldest[0]);
  }

  async #target(project: string, { url, username, host_keys, credential }: MirrorDocument): Promise<MirrorTarget> {
    if (credential === null) return { url, username, host_keys, credential };
    const value = await this.#secrets.revealOwn(project, ENV, credential as unknown as Json, {
      reason: `The credential of the mirror of ${quoted(project)} is gone from the vault.`,
      fix: `Set the mirror again, with it: PUT /env/${project}/git/mirror.`,
    });
    return { url, username, host_keys, credential: value };
  }

  #release(tx: Transaction, mirror: MirrorDocument | null): void {
    const references = mirror?.credential ? [mirror.credential as unknown as JsonObject] : [];
    this.#secrets.release(tx, ENV, references);
  }

  /** @throws project_not_found */
  async #find(project: string): Promise<MirrorDocument | null> {
    const [found, mirror] = await documentsOf(this.#store, project).getAll<Project | MirrorDocument>([keys.project, keys.mirror]);
    if (!found) throw projectNotFound(project);
    return (mirror ?? null) as MirrorDocument | null;
  }

  #available(): MirrorPusher {
    if (this.#pusher !== null) return this.#pusher;
    throw new AppError("git_unavailable", { reason: "This engine pushes to no mirrors.", fix: "Ask whoever runs it." });
  }
}

function targetOf({ url, username, token, ssh_key, host_keys = [] }: MirrorRequest): Omit<MirrorTarget, "credential"> {
  if (token === undefined || ssh_key === undefined) return { url, username: username ?? null, host_keys };
  throw new AppError("invalid_request", {
    reason: "A mirror has a token or a key, and not both.",
    fix: "Send `token` for https, `ssh_key` for ssh.",
  });
}

function viewOf(project: string, { url, username, host_keys, credential, updated_at, updated_by }: MirrorDocument): MirrorView {
  return { project_id: project, url, username, host_keys, has_credential: credential !== null, updated_at, updated_by };
}

function mirrorNotFound(project: string): AppError {
  return new AppError("mirror_not_found", {
    reason: `Project ${quoted(project)} has no mirror.`,
    fix: `PUT /env/${project}/git/mirror {"url":"https://…","token":"…"} sets one.`,
  });
}
