import { ensureBuilt } from "../built.ts";
import { runSuite } from "../run-suite.ts";
import { etcdProgram } from "./etcd-server.ts";
import { installPeers } from "./packages.ts";

/** `npm run bench:peers` measures the engine beside other software; `npm run bench:peers -- etcd git` only the groups named. */
await installPeers();
// Before a group's time begins. Where it cannot be had, the rows that need it say so.
await etcdProgram().catch((error: unknown) => console.error(String(error)));
ensureBuilt();
process.exitCode = await runSuite("peers", process.argv.slice(2));
