import type { Store } from "../../src/ports.ts";
import { openStore } from "../../src/storage/open.ts";
import { type Opened, storeConformance, type WriteKind } from "../conformance/store.ts";
import { usePostgres } from "../support/postgres.ts";

const server = usePostgres();
let schemas = 0;

storeConformance("postgres", async (): Promise<Opened> => {
  // A schema of its own for each test: a tenth of the time that a database takes.
  const schema = `test_${++schemas}`;
  const opened: Store[] = [];
  const open = async () => {
    const store = await openStore(`${server().url()}?schema=${schema}`);
    opened.push(store);
    return store;
  };
  const sql = (text: string, values: readonly unknown[] = []) => server().query(text, values);
  const store = await open();
  return {
    store,
    async reopen() {
      await store.close();
      return open();
    },
    another: open,
    async age(ms) {
      await sql(`UPDATE ${schema}.object SET stored_at = stored_at - $1 * interval '1 millisecond'`, [ms]);
    },
    async failWrites(kind, partition) {
      const [table, events, column] = EVENTS[kind];
      const fault = `${schema}.fault`;
      await sql(`CREATE FUNCTION ${fault}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''injected fault''; END'`);
      for (const event of events) {
        const row = event === "DELETE" ? "OLD" : "NEW";
        await sql(`CREATE TRIGGER fault_${event} AFTER ${event} ON ${schema}.${table} FOR EACH ROW
          WHEN (${row}.${column} = '${partition}') EXECUTE FUNCTION ${fault}()`);
      }
      return async () => void (await sql(`DROP FUNCTION ${fault} CASCADE`));
    },
    // Of the whole server, which no other test uses meanwhile.
    async turnsWaiting() {
      const waiting = await sql("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
      return waiting.length;
    },
    async dispose() {
      for (const one of opened) await one.close();
    },
  };
});

/** The table and the events of each kind of write, and the column that names the partition. */
const EVENTS: Readonly<Record<WriteKind, readonly [table: string, events: readonly string[], partition: string]>> = {
  "document put": ["document", ["INSERT", "UPDATE"], "partition"],
  "document delete": ["document", ["DELETE"], "partition"],
  "object put": ["object", ["INSERT", "UPDATE"], "partition"],
  "object delete": ["object", ["DELETE"], "partition"],
  revision: ["partition", ["UPDATE"], "name"],
};
