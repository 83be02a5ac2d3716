import { runSuite } from "../run-suite.ts";

/** `npm run bench:curves` measures what work costs where there is more and more of something; `-- tokens` only for that. */
process.exitCode = await runSuite("curves", process.argv.slice(2));
