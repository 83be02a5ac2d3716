import { follow, type News } from "./stream.ts";

/**
 * What the tabs of a browser have in common: one stream for each project that any of them shows. A browser opens six connections to an
 * engine that speaks HTTP/1.1, and a stream holds one for as long as it is read: the seventh tab would wait for ever.
 */

/** What a tab says first; that it leaves is all that it says later. */
export interface Join {
  readonly project: string;
  /** Whom the tab takes itself to be logged in as: another one is told of other things. */
  readonly as: string;
}

interface Shared {
  readonly tabs: Set<MessagePort>;
  /** Who was logged in when the stream was opened, as far as its tabs know. */
  as: string;
  /** How the stream does, for tabs that come later. */
  last: News | null;
  stop(): void;
}

/** By project: a browser has one session at a time. */
const streams = new Map<string, Shared>();

function opened({ project, as }: Join): Shared {
  const known = streams.get(project);
  if (known !== undefined) return known;
  const shared: Shared = { tabs: new Set(), as, last: null, stop: () => {} };
  streams.set(project, shared);
  open(project, shared);
  return shared;
}

/** Begins the stream with the cookie that the browser has now. */
function open(project: string, shared: Shared): void {
  shared.last = null;
  shared.stop = follow(project, (news) => {
    if (news.type === "live" || news.type === "away") shared.last = news;
    for (const tab of shared.tabs) tab.postMessage(news);
  });
}

function join(tab: MessagePort, whom: Join): void {
  const shared = opened(whom);
  shared.tabs.add(tab);
  if (shared.as !== whom.as) {
    shared.stop();
    shared.as = whom.as;
    open(whom.project, shared);
  }
  if (shared.last !== null) {
    tab.postMessage(shared.last);
    // What it has read may be from before it was told of changes.
    tab.postMessage({ type: "changed" } satisfies News);
  }
  const leave = () => {
    if (!shared.tabs.delete(tab) || shared.tabs.size > 0) return;
    shared.stop();
    streams.delete(whom.project);
  };
  tab.onmessage = leave;
  // A tab that crashed says nothing; browsers that notice tell.
  tab.addEventListener("close", leave);
}

addEventListener("connect", (event) => {
  const [tab] = (event as MessageEvent).ports;
  if (tab !== undefined) tab.onmessage = ({ data }: MessageEvent<Join>) => join(tab, data);
});
