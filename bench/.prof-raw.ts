import { fdatasyncSync, openSync, writeSync } from "node:fs";
import Database from "better-sqlite3";
import { withFolder } from "./folders.ts";

await withFolder(async (f) => {
  const db = new Database(f + "/x.db");
  db.pragma("journal_mode=WAL");
  db.pragma("synchronous=FULL");
  db.exec("create table t(id integer primary key, d blob)");
  const ins = db.prepare("insert into t(d) values(?)");
  const q = (x: number[]) => {
    const s = [...x].sort((a, b) => a - b);
    return [s[0], s[s.length >> 2], s[s.length >> 1], s[Math.floor(s.length * 0.9)]].map((v) => v!.toFixed(2)).join(" ");
  };
  for (const size of [500, 50000]) {
    const t: number[] = [];
    for (let i = 0; i < 300; i++) {
      const b = Buffer.alloc(size, i);
      const a = performance.now();
      ins.run(b);
      t.push(performance.now() - a);
    }
    console.log("sqlite", size, q(t));
  }
  const fd = openSync(f + "/y", "w");
  const t: number[] = [];
  for (let i = 0; i < 200; i++) {
    const a = performance.now();
    writeSync(fd, Buffer.alloc(4096));
    fdatasyncSync(fd);
    t.push(performance.now() - a);
  }
  console.log("fdatasync", q(t));
});
