import { openSqlite } from "../../../src/storage/sqlite.ts";

/** Opens the store that the first argument names, says so, and holds it until it is killed. */
const store = await openSqlite(process.argv[2] ?? "");
console.log("open");
setInterval(() => store.stats, 60_000);
