import type { Socket } from "node:net";
import type { Authentication } from "../authentication.ts";
import { AppError } from "../errors.ts";
import { SYSTEM_PARTITION } from "../keys.ts";
import { LIMITS } from "../limits.ts";
import type { ReadIndex } from "../read-index.ts";
import type { Judged, Principal } from "../tokens.ts";
import { bearerOf } from "./auth.ts";
import { digestOf } from "./visitors.ts";

interface Known extends Judged {
  /** The revision of `_system` at which it was judged: with another one it is judged again. */
  readonly asOf: number;
}

/** Whose token an Authorization header shows, known without waiting: by the header's digest, so that no token is kept. */
export class FastCallers {
  readonly #authentication: Authentication;
  readonly #index: Pick<ReadIndex, "known">;
  readonly #known = new Map<string, Known>();

  constructor(authentication: Authentication, index: Pick<ReadIndex, "known" | "onDoubt">) {
    this.#authentication = authentication;
    this.#index = index;
    index.onDoubt(() => this.#known.clear());
  }

  /** As of now; `null` also where the store has to be asked what is current. */
  now(socket: Socket, header: string): Principal | null {
    const revision = this.#index.known(SYSTEM_PARTITION);
    return revision === null ? null : this.at(header, digestOf(socket, header), revision);
  }

  /** `null` where it is not known, or not valid: then whoever can say why has to look. */
  at(header: string, digest: string, revision: number): Principal | null {
    const known = this.#known.get(digest);
    if (known !== undefined && known.asOf >= revision && this.#authentication.stillHolds(known)) return known.principal;
    const judged = this.#judge(header, revision);
    if (judged === null) return null;
    if (known === undefined && this.#known.size >= LIMITS.cachedTokens) this.#known.clear();
    this.#known.set(digest, { ...judged, asOf: revision });
    return judged.principal;
  }

  /** Has a token that was known before looked up as of that revision. Of others nobody asks twice. @throws unauthorized, and the like */
  async renew(header: string, digest: string, revision: number): Promise<void> {
    const token = bearerOf(header);
    const known = this.#known.get(digest);
    if (token !== null && known !== undefined && known.asOf < revision) await this.#authentication.byToken(token);
  }

  #judge(header: string, revision: number): Judged | null {
    const token = bearerOf(header);
    try {
      return token === null ? null : this.#authentication.byTokenAt(token, revision);
    } catch (error) {
      if (error instanceof AppError) return null;
      throw error;
    }
  }
}
