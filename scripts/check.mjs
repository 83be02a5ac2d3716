// What can be said of the code without running it: all at the same time, for each by itself leaves a processor with nothing to do.
import { spawn } from "node:child_process";

const CHECKS = ["tsc --noEmit", "tsc --noEmit -p web", "biome check ."];

/** @param {string} command of `node_modules/.bin` @returns {Promise<{ command: string, code: number, output: string }>} */
function run(command) {
  const child = spawn(command, { shell: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ command, code: code ?? 1, output }));
  });
}

for (const { command, code, output } of await Promise.all(CHECKS.map(run))) {
  console.log(`> ${command}\n${output}`);
  if (code !== 0) process.exitCode = 1;
}
