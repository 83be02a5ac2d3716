import { AppError } from "../errors.ts";
import type { PulledBefore, RemoteBranch, Repositories, RepositoryChange } from "../ports.ts";
import { withBranch } from "./fetching.ts";
import { httpConfig } from "./http-config.ts";
import { changeSince } from "./source.ts";

/** An address that was looked at: what it leads to, and nothing else, is connected to. */
export interface CheckedAddress {
  readonly url: string;
  readonly protocol: "https" | "http";
  /** `<host>:<port>:<address>[,<address>…]`, as curl takes it; `null` where the host is an address itself. */
  readonly resolve: string | null;
}

/** @throws target_not_allowed, repository_unavailable */
export type CheckAddress = (url: string) => Promise<CheckedAddress>;

/** Fetches what users name: over HTTP alone, from addresses that were checked, within bounds of time and size. */
export class RemoteRepositories implements Repositories {
  readonly #checked: CheckAddress;
  readonly #bounds: { readonly timeoutMs?: number; readonly maxBytes?: number };

  constructor(checked: CheckAddress, bounds: { readonly timeoutMs?: number; readonly maxBytes?: number } = {}) {
    this.#checked = checked;
    this.#bounds = bounds;
  }

  /** A name that leads nowhere now may get an address: it is looked at again before each fetch. */
  async check(url: string): Promise<void> {
    await this.#checked(url).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code !== "repository_unavailable") throw error;
    });
  }

  async changeSince({ url, branch, path, credential }: RemoteBranch, before: PulledBefore, signal: AbortSignal): Promise<RepositoryChange> {
    const address = await this.#checked(url);
    const config = await httpConfig(new URL(url), address.resolve, credential);
    return withBranch({ url: address.url, branch, protocols: [address.protocol], config, signal, ...this.#bounds }, (commits) =>
      changeSince(commits, { branch, path }, before),
    );
  }
}
