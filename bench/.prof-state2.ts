import { createWith, openEngine, patchState } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { edits, platform } from "./platforms.ts";

await withFolder(async (f) => {
  const e = await openEngine(f);
  await createWith(e.domain, "dev", platform(10000));
  const c: any[] = [];
  const orig = e.store.commit.bind(e.store);
  let commit = 0;
  (e.store as any).commit = async (...a: [any, any]) => {
    const s = performance.now();
    const r = await orig(...a);
    commit += performance.now() - s;
    return r;
  };
  for (let i = 1; i <= 200; i++) await patchState(e.domain, "dev", edits(10000, 10, i));
  commit = 0;
  const cpu = process.cpuUsage(),
    w = performance.now();
  for (let i = 201; i <= 400; i++) await patchState(e.domain, "dev", edits(10000, 10, i));
  const d = process.cpuUsage(cpu);
  console.log(
    "per patch wall",
    ((performance.now() - w) / 200).toFixed(2),
    "cpu user",
    d.user / 200e3,
    "sys",
    d.system / 200e3,
    "in commit wall",
    (commit / 200).toFixed(2),
  );
  await e.close();
});
