import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { CopyStore } from "./keeping.ts";
import { checkedLength } from "./keeping.ts";

/**
 * Keeps a connection's copy in a file that its owner alone may read. It is sealed before it gets here.
 *
 * @example
 * const environment = connectEnvironment({ url, token, project, env, persist: { store: fileStore(".cache/staging.envm") } });
 */
export function fileStore(path: string): CopyStore {
  return {
    async read() {
      const found = await stat(path).catch(absent);
      if (found === null) return null;
      checkedLength(found.size);
      return readFile(path, "utf8");
    },
    async write(text) {
      const folder = dirname(path);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const draft = join(folder, `.${randomBytes(8).toString("hex")}.tmp`);
      try {
        const file = await open(draft, "wx", 0o600);
        try {
          await file.writeFile(text);
          // A file that is there after a power cut has its content too.
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(draft, path);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    },
  };
}

function absent(error: unknown): null {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
  throw error;
}
