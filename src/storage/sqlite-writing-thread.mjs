// @ts-check
import { register } from "tsx/esm/api";

// What starts the thread of `SqliteWriting` where the engine runs from its source: a thread has nobody who translates. Of `sqlite-writing-thread.ts`
// the build makes a file that has this one's name, and needs nothing of the kind.

register();
await import("./sqlite-writing-thread.ts");
