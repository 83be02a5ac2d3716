import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { databasePath } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { alternate, countRow, median, ms, type Row, skippedRow, timesAsMuch } from "./measure.ts";
import { here, startEngine } from "./processes.ts";

const TURNS = 9;
const ADMIN = "admin-token-of-the-bench";
const CLI = here("../dist/cli/main.js");
const WORK = "envm run -e production -- true, with its fetch, from start to end";

/** What it takes to start a program with an environment's variables, beside what Node itself takes to start. */
export async function cliStart(): Promise<Row[]> {
  if (!existsSync(CLI)) return [skippedRow(WORK, "not built: run `npm run build` first")];
  return withFolder(async (folder) => {
    const engine = await startEngine({
      STORE_URL: `sqlite:${databasePath(folder)}`,
      ENV_MANAGER_AUTH: "on",
      ENV_MANAGER_ADMIN_TOKEN: ADMIN,
    });
    const env = { ...process.env, ENVM_URL: engine.url, ENVM_TOKEN: ADMIN, ENVM_PROJECT: "bench", XDG_CONFIG_HOME: folder };
    const node = (...args: string[]) => ended(args, env, folder);
    const envm = (...args: string[]) => node(CLI, ...args);
    await envm("env", "create", "production", "--set", "API_URL=https://example.com", "--set", "API_KEY=k", "--silent");
    const pairs = await alternate(
      TURNS,
      () => envm("run", "-e", "production", "--", "true"),
      () => node("-e", "0"),
    );
    await engine.stop();
    const times = median(timesAsMuch(pairs)).toFixed(1);
    const bare = ms(median(pairs.map(({ baseline }) => baseline)));
    const values = pairs.map(({ subject }) => subject);
    return [countRow({ work: WORK, subject: `${times} × as long as Node`, baseline: `node -e 0 ${bare}`, values, unit: "ms", goal: { atMost: 400 } })];
  });
}

/** Milliseconds until the process has ended. */
function ended(args: readonly string[], env: NodeJS.ProcessEnv, cwd: string): Promise<number> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { env, cwd, stdio: ["ignore", "ignore", "inherit"] });
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve(performance.now() - start) : reject(new Error(`${args.join(" ")} ended with ${code}`))));
  });
}
