import { createWith, openEngine, patchState } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { edits, platform } from "./platforms.ts";

await withFolder(async (f) => {
  const e = await openEngine(f);
  await createWith(e.domain, "dev", platform(10000));
  const t: number[] = [];
  for (let i = 1; i <= 400; i++) {
    const s = edits(10000, 10, i);
    const a = performance.now();
    await patchState(e.domain, "dev", s);
    t.push(performance.now() - a);
  }
  const q = (x: number[]) => {
    const s = [...x].sort((a, b) => a - b);
    return [s[0], s[s.length >> 2], s[s.length >> 1], s[Math.floor(s.length * 0.9)]].map((v) => v!.toFixed(2)).join(" ");
  };
  console.log("first100", q(t.slice(0, 100)), "last200", q(t.slice(200)));
  await e.close();
});
