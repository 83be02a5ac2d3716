import { spawn } from "node:child_process";
import { join } from "node:path";
import { standaloneEnvironment } from "../../scripts/demo/engine-process.ts";
import { packageRoot } from "../../src/settings.ts";

/** Runs one of the commands that `package.json` has, from its source. Resolves with its exit code and all that it printed. */
export function runCommand(
  script: "store-check" | "vault-rotate",
  storeUrl: string,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const args = ["--import", "tsx", join(packageRoot(), "scripts", `${script}.ts`)];
  const env = standaloneEnvironment({ STORE_URL: storeUrl, LOG_LEVEL: "trace" });
  const child = spawn(process.execPath, args, { cwd: packageRoot(), env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}
