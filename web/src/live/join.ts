import { follow, type News } from "./stream.ts";
import type { Join } from "./worker.ts";

/** Follows a project together with the other tabs of this browser; by itself where the browser cannot share. @returns what ends it */
export function join(whom: Join, tell: (news: News) => void): () => void {
  if (typeof SharedWorker === "undefined") return follow(whom.project, tell);
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
  const { port } = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: "live" });
  port.onmessage = ({ data }: MessageEvent<News>) => tell(data);
  port.postMessage(whom);
  return () => {
    port.postMessage("leave");
    port.close();
  };
}
