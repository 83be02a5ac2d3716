import { CONFIGURING } from "./configuring.ts";
import { PROMOTING } from "./promoting.ts";
import { READING } from "./reading.ts";
import type { Tool } from "./tool.ts";

/** Every tool: whichever way an assistant comes in, these and no others. None reveals a secret, and none approves. */
export const TOOLS: readonly Tool[] = [...READING, ...PROMOTING, ...CONFIGURING];
