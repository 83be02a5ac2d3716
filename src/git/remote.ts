import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { PulledBefore, RemoteBranch, Repositories, RepositoryChange } from "../ports.ts";
import { Commits } from "./commits.ts";
import { type Fetch, withBranch } from "./fetching.ts";
import { httpConfig } from "./http-config.ts";
import { changeSince } from "./source.ts";
import { untilAny } from "./until.ts";

/** An address that was looked at: what it leads to, and nothing else, is connected to. */
interface CheckedAddress {
  readonly url: string;
  readonly protocol: "https" | "http";
  /** `<host>:<port>:<address>[,<address>…]`, as curl takes it; `null` where the host is an address itself. */
  readonly resolve: string | null;
}

/** @throws target_not_allowed, repository_unavailable */
type CheckAddress = (url: string) => Promise<CheckedAddress>;

/** Other than the usual ones; tests have shorter times. */
export interface RemoteBounds extends Pick<Fetch, "timeoutMs" | "maxBytes"> {
  readonly readMs?: number;
}

/** Fetches what users name: over HTTP alone, from addresses that were checked, within bounds of time and size. */
export class RemoteRepositories implements Repositories {
  readonly #checked: CheckAddress;
  readonly #bounds: RemoteBounds;

  constructor(checked: CheckAddress, bounds: RemoteBounds = {}) {
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
    const config = await httpConfig(new URL(address.url), address.resolve, credential);
    const { readMs = LIMITS.gitReadMs, ...bounds } = this.#bounds;
    return withBranch({ url: address.url, branch, protocols: [address.protocol], config, signal, ...bounds }, (commits) =>
      within(readMs, signal, (until) => changeSince(new Commits({ ...commits.options, signal: until }), { branch, path }, before)),
    );
  }
}

/** Many quick steps take long too: what a repository holds is for others to choose, and how long it keeps the engine is not. */
async function within<Result>(ms: number, signal: AbortSignal, work: (until: AbortSignal) => Promise<Result>): Promise<Result> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ms);
  try {
    return await untilAny([signal, late.signal], work);
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error;
    throw new AppError("repository_unavailable", {
      reason: `Reading the repository took longer than ${Math.ceil(ms / 1_000)} seconds.`,
      fix: "Keep the platform in a repository of its own, or pull from a clone with envm git pull.",
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}
