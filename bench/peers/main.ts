import { ensureBuilt } from "../built.ts";
import { runSuite } from "../run-suite.ts";
import { installPeers } from "./packages.ts";

/** `npm run bench:peers` measures the engine beside other software; `npm run bench:peers -- etcd git` only the groups named. */
await installPeers();
ensureBuilt();
process.exitCode = await runSuite("peers", process.argv.slice(2));
