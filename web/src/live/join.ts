import { follow, type News } from "./stream.ts";
import type { Join } from "./worker.ts";

/** Milliseconds within which a worker that runs says how its stream does. */
const PATIENCE_MS = 10_000;

/** Follows a project together with the other tabs of this browser; by itself where the browser cannot share. @returns what ends it */
export function join(whom: Join, tell: (news: News) => void): () => void {
  let leave = enter(whom, tell);
  const out = () => leave();
  // A page that is left may be kept, and come back as it was.
  const back = ({ persisted }: PageTransitionEvent) => {
    if (persisted) leave = enter(whom, tell);
  };
  window.addEventListener("pagehide", out);
  window.addEventListener("pageshow", back);
  return () => {
    window.removeEventListener("pagehide", out);
    window.removeEventListener("pageshow", back);
    leave();
  };
}

function enter(whom: Join, tell: (news: News) => void): () => void {
  const worker = shared();
  if (worker === null) return follow(whom.project, tell);
  const { port } = worker;
  // Its script is not there any more once the engine was upgraded; and some browsers share no modules.
  const alone = () => {
    leave();
    leave = follow(whom.project, tell);
  };
  worker.onerror = alone;
  // Who comes while the browser is giving a worker up is not told so.
  const timer = setTimeout(alone, PATIENCE_MS);
  port.onmessage = ({ data }: MessageEvent<News>) => {
    clearTimeout(timer);
    tell(data);
  };
  port.postMessage(whom);
  let leave = () => {
    clearTimeout(timer);
    worker.onerror = null;
    port.postMessage("leave");
    port.close();
  };
  return () => leave();
}

function shared(): SharedWorker | null {
  try {
    return new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: "live" });
  } catch {
    // The browser has none, or lets this page have none.
    return null;
  }
}
