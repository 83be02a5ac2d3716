import { spawn } from "node:child_process";
import { standaloneEnvironment } from "../../scripts/demo/engine-process.ts";
import { packageRoot } from "../../src/package.ts";
import { built } from "../support/built.ts";

/** Runs one of the commands that `package.json` has. Resolves with its exit code and all that it printed. */
export function runCommand(
  script: "store-check" | "vault-rotate",
  storeUrl: string,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const env = standaloneEnvironment({ STORE_URL: storeUrl, LOG_LEVEL: "trace" });
  const child = spawn(process.execPath, [built(`scripts/${script}.js`)], { cwd: packageRoot(), env, stdio: ["ignore", "pipe", "pipe"] });
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
