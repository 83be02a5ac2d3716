import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startAuthorized } from "../authorized.ts";
import { withFolder } from "../folders.ts";
import { alternate, ms, type Row, ratioRow, skippedRow, timesFaster } from "../measure.ts";
import { here } from "../processes.ts";
import { folderOf, named } from "./packages.ts";

const TURNS = 15;
const VARS = 40;
const ID = "run-dotenvx";
const WORK = `a program started with ${VARS} variables`;
const ENVM = here("../dist/cli/main.js");

/** `envm run` beside `dotenvx run`: from the command to the end of a program that does nothing. */
export async function dotenvx(): Promise<Row[]> {
  if (!existsSync(ENVM)) return [skippedRow(ID, WORK, "not built: run `npm run build` first")];
  return withFolder(async (folder) => {
    const variables = Object.fromEntries(Array.from({ length: VARS }, (_, n) => [`VAR_${n}`, `https://service-${n}.example.com`]));
    const engine = await startAuthorized(join(folder, "engine"));
    await engine.send("POST", "/env/create", { project_id: "bench", new_environment: "dev", env_variables: variables });
    const file = join(folder, ".env");
    writeFileSync(
      file,
      Object.entries(variables)
        .map(([name, value]) => `${name}="${value}"\n`)
        .join(""),
    );
    const env = { ...process.env, NODE_ENV: "production", ENVM_URL: engine.url, ENVM_TOKEN: await engine.token("reader") };
    const ours = [ENVM, "run", "--project", "bench", "--env", "dev", "--no-secrets", "--", "true"];
    const alone = ["--no-armor", "--no-native", "--no-1password", "--no-bitwarden"];
    const theirs = [join(folderOf("@dotenvx/dotenvx"), "src", "cli", "dotenvx.js"), "run", ...alone, "-f", file, "--", "true"];
    const pairs = await alternate(
      TURNS,
      () => ended(ours, env, folder),
      () => ended(theirs, env, folder),
    );
    await engine.stop();
    return [
      ratioRow({
        id: ID,
        work: WORK,
        subject: "envm run",
        baseline: `${named("@dotenvx/dotenvx")} run`,
        pairs,
        unit: ms,
        ratio: timesFaster,
        goal: null,
        about:
          "dotenvx reads a file beside it and would decrypt what is encrypted there; it is told to look for no secret elsewhere. envm asks the engine over HTTP, with a token. Both are Node programs, and each starts `true`.",
      }),
    ];
  });
}

/** Milliseconds until the process has ended well. */
async function ended(args: readonly string[], env: NodeJS.ProcessEnv, cwd: string): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, args, { env, cwd, stdio: "ignore" });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${args[0]} ended with code ${code}`);
  return performance.now() - start;
}
