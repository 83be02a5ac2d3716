import { checked } from "../../../src/storage/checked.ts";
import { openSqlite } from "../../../src/storage/sqlite.ts";

/** So much that the log is moved into the file twice before the kill, about, and perhaps in that very moment. */
const PADDING = "x".repeat(200_000);

/**
 * Eight writers in two partitions commit until the process is killed. Each commit moves a counter and puts two documents and an
 * object under its number; its line `<partition> <number>` is printed once it was acknowledged.
 */
const store = checked(await openSqlite(process.argv[2] ?? ""));
await Promise.all(["left", "right"].flatMap((partition) => Array.from({ length: 4 }, () => write(partition))));

async function write(partition: string): Promise<never> {
  for (;;) {
    const [counter] = await store.get(partition, ["counter"]);
    const number = Number(counter?.value ?? 0) + 1;
    const name = String(number).padStart(8, "0");
    const result = await store.commit(partition, {
      checks: [{ key: "counter", revision: counter?.revision ?? null }],
      puts: [...["counter", `a/${name}`, `b/${name}`].map((key) => ({ key, value: number })), { key: "padding", value: PADDING }],
      deletes: [],
      objects: [{ hash: name.padStart(64, "0"), data: Buffer.from(name.repeat(100)) }],
      objectDeletes: [],
    });
    if (result.ok) console.log(`${partition} ${number}`);
  }
}
