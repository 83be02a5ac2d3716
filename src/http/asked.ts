import type { IncomingMessage } from "node:http";

/** A request, with what was found out on its way to a route: by Express's router, or by `Dispatch`, which finds the same. */
export interface Asked extends IncomingMessage {
  /** The path's parameters by name. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** Whether it was encrypted on its way, a trusted proxy's word included. */
  readonly secure: boolean;
  /** Whom it comes from, a trusted proxy's word included. */
  readonly ip: string | undefined;
  /** Its target as it came. */
  readonly originalUrl: string;
}
