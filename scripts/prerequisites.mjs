// What the tests need that npm does not bring: installed where this may install it, else named with the command that does.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Debian's package → the programs of which it brings one. */
const NEEDED = {
  "redis-server": ["redis-server"],
  pgbouncer: ["pgbouncer"],
  chromium: ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"],
  git: ["git"],
  zsh: ["zsh"],
  fish: ["fish"],
  python3: ["python3"],
  curl: ["curl"],
};

/** Debian's package → one that does as well in less time and room, where a release has it. */
const RATHER = { chromium: "chromium-headless-shell" };

/** Debian has servers where only root looks for programs. @param {string} program */
function isInstalled(program) {
  return [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"].some((folder) => existsSync(join(folder, program)));
}

/** @param {readonly string[]} words */
function run([command = "", ...rest]) {
  console.log(`> ${[command, ...rest].join(" ")}`);
  return spawnSync(command, rest, { stdio: "inherit", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } }).status === 0;
}

/** After `apt-get update`. @param {string} name a package @returns {string} the one to install for it */
function lighter(name) {
  const rather = RATHER[name];
  const isThere = rather !== undefined && spawnSync("apt-cache", ["show", rather], { stdio: "ignore" }).status === 0;
  return isThere ? rather : name;
}

const missing = Object.entries(NEEDED)
  .filter(([, programs]) => !programs.some(isInstalled))
  .map(([name]) => name);

if (missing.length > 0) {
  const install = ["apt-get", "install", "-y", "--no-install-recommends"];
  const mayInstall = process.getuid?.() === 0 && isInstalled("apt-get");
  if (!mayInstall || !run(["apt-get", "update"]) || !run([...install, ...missing.map(lighter)])) {
    console.error(`The tests need ${missing.join(" and ")}, which this machine does not have. Install it, then run the tests again:`);
    console.error(`  sudo apt-get update && sudo ${[...install, ...missing].join(" ")}`);
    process.exit(1);
  }
}
