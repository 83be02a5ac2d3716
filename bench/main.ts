import { ensureBuilt } from "./built.ts";
import { runSuite } from "./run-suite.ts";

/** `npm run bench` measures everything; `npm run bench -- diffs branching` only the groups named. */
ensureBuilt();
process.exitCode = await runSuite("bench", process.argv.slice(2));
