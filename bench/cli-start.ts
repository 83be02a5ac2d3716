import { spawn } from "node:child_process";
import { startAuthorized } from "./authorized.ts";
import { withFolder } from "./folders.ts";
import { alternate, countRow, median, ms, type Row, timesAsMuch } from "./measure.ts";
import { here } from "./processes.ts";

const TURNS = 9;
const CLI = here("../dist/cli/main.js");
const WORK = "envm run -e production -- true, with its fetch, from start to end";

/** What it takes to start a program with an environment's variables, beside what Node itself takes to start. */
export async function cliStart(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const engine = await startAuthorized(folder);
    const env_variables = { API_URL: { value: "https://example.com", secret: false }, API_KEY: { value: "k", secret: true } };
    await engine.send("POST", "/env/create", { project_id: "bench", new_environment: "production", env_variables });
    const grant = { name: "cli", role: "reader", projects: ["bench"], rights: ["secrets:reveal"] };
    const { token } = await engine.send("POST", "/tokens", grant);
    const env = { ...process.env, ENVM_URL: engine.url, ENVM_TOKEN: token, ENVM_PROJECT: "bench", XDG_CONFIG_HOME: folder };
    const node = (...args: string[]) => ended(args, env, folder);
    const pairs = await alternate(
      TURNS,
      () => node(CLI, "run", "-e", "production", "--", "true"),
      () => node("-e", "0"),
    );
    await engine.stop();
    const times = median(timesAsMuch(pairs)).toFixed(1);
    const bare = ms(median(pairs.map(({ baseline }) => baseline)));
    return [
      countRow({
        id: "cli-start",
        work: WORK,
        subject: `${times} × as long as Node alone`,
        baseline: `node -e 0 ${bare}`,
        values: pairs.map(({ subject }) => subject),
        unit: "ms",
        goal: { atMost: 400 },
        next: {
          met: "Most of it is Node's own start, its fetch, and the program's own process.",
          missed: "`node --cpu-prof dist/cli/main.js run …` says what is loaded that this command does not need.",
        },
      }),
    ];
  });
}

/** Milliseconds until the process has ended. */
function ended(args: readonly string[], env: NodeJS.ProcessEnv, cwd: string): Promise<number> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { env, cwd, stdio: ["ignore", "ignore", "inherit"] });
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve(performance.now() - start) : reject(new Error(`${args.join(" ")} ended with ${code}`)),
    );
  });
}
