import { rmSync } from "node:fs";
import { join } from "node:path";
import { checked } from "../../src/storage/checked.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import Database from "../../src/storage/sqlite-driver.cjs";
import { type Opened, storeConformance, type WriteKind } from "../conformance/store.ts";
import { temporaryFolder } from "./support.ts";

storeConformance("sqlite", openTemporary, { notShared: "one engine has the file at a time" });

async function openTemporary(): Promise<Opened> {
  const folder = temporaryFolder();
  const path = join(folder, "env.db");
  let ahead = 0;
  const open = async () => checked(await openSqlite(`sqlite:${path}`, { clock: () => Date.now() + ahead }));
  let current = await open();
  return {
    store: current,
    async reopen() {
      await current.close();
      current = await open();
      return current;
    },
    async age(ms) {
      ahead += ms;
    },
    failWrites: async (kind, partition) => failWrites(path, kind, partition),
    async dispose() {
      await current.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The event of each kind of write, and where the row says which partition it is in. */
const EVENTS: Readonly<Record<WriteKind, readonly [events: readonly string[], partition: string]>> = {
  "document put": [["INSERT ON document", "UPDATE ON document"], "NEW.partition"],
  "document delete": [["DELETE ON document"], "OLD.partition"],
  "object put": [["INSERT ON object", "UPDATE ON object"], "NEW.partition"],
  "object delete": [["DELETE ON object"], "OLD.partition"],
  revision: [["UPDATE ON partition"], "NEW.id"],
};

/** Triggers, made through a second connection, that abort the statement after it has done its work. */
function failWrites(path: string, kind: WriteKind, partition: string): () => Promise<void> {
  const [events, id] = EVENTS[kind];
  const other = new Database(path);
  events.forEach((event, index) => {
    other.exec(`CREATE TRIGGER fault_${index} AFTER ${event} WHEN ${id} = (SELECT id FROM partition WHERE name = '${partition}')
      BEGIN SELECT RAISE(ABORT, 'injected fault'); END`);
  });
  return async () => {
    events.forEach((_, index) => void other.exec(`DROP TRIGGER fault_${index}`));
    other.close();
  };
}
