import { afterAll, beforeAll } from "vitest";
import { type PostgresOptions, PostgresServer } from "./postgres-server.ts";

const START_MS = 120_000;

/** One server for all tests of a file or of a `describe`; ask for it inside of them. */
export function usePostgres(options: PostgresOptions = {}): () => PostgresServer {
  let server: PostgresServer | undefined;
  beforeAll(async () => {
    server = await PostgresServer.start(options);
  }, START_MS);
  afterAll(() => server?.stop(), START_MS);
  return () => {
    if (server === undefined) throw new Error("The server is started before the first test, and not earlier.");
    return server;
  };
}
