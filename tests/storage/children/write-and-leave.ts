import { checked } from "../../../src/storage/checked.ts";
import { openSqlite } from "../../../src/storage/sqlite.ts";
import { put } from "../../conformance/store.ts";

/** Commits twice, prints what came of it, and leaves the store open: nothing of it keeps the process from ending, or lets it end too early. */
const store = checked(await openSqlite(process.argv[2] ?? ""));
const first = store.commit("p", put("a", 1));
void first.then(async (one) => console.log(JSON.stringify(one), JSON.stringify(await store.commit("p", put("a", 2)))));
