import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

/** The first is the browser without the windows that nobody sees: pages take two thirds of the time. */
const NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/** As it runs anywhere, and asks nobody for anything. */
export const QUIET: readonly string[] = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The one that `CHROMIUM_PATH` names, else Debian's, or the user's own. */
export function chromiumPath(): string {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const candidates = [process.env["CHROMIUM_PATH"] ?? "", ...NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))];
  const found = candidates.find((path) => path !== "" && existsSync(path));
  if (found === undefined) throw new Error("There is no Chromium here: sudo apt-get install chromium, or name one in CHROMIUM_PATH");
  return found;
}

export function launchChromium(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: [...QUIET, ...args] });
}
