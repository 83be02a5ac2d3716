import { pino } from "pino";
import { ConfigStore } from "../src/config-store.ts";
import { startEngine } from "../src/index.ts";
import { loadSettings } from "../src/settings.ts";
import { oneByOne } from "./one-by-one.ts";

/**
 * A baseline, run as a process: the engine itself, in which each write of config begins when the one before it is durable. So none
 * shares a commit with another, and every request is one transaction.
 */
const patch = ConfigStore.prototype.patch;
const line = oneByOne((store: ConfigStore, args: Parameters<typeof patch>) => patch.apply(store, args));
ConfigStore.prototype.patch = function (this: ConfigStore, ...args: Parameters<typeof patch>) {
  return line(this, args);
};

await startEngine(loadSettings(), pino({ base: null }));
