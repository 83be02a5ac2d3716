import { follow, type News } from "./stream.ts";

/**
 * What the tabs of a browser have in common: one stream for each project that any of them shows. A browser opens six connections to an
 * engine that speaks HTTP/1.1, and a stream holds one for as long as it is read: the seventh tab would wait for ever.
 */

/** What a tab says first; that it leaves is all that it says later. */
export interface Join {
  readonly project: string;
  /** Whose session it is: another one is told of other things. */
  readonly as: string;
}

interface Shared {
  readonly tabs: Set<MessagePort>;
  /** How the stream does, for tabs that come later. */
  last: News | null;
  readonly close: () => void;
}

const streams = new Map<string, Shared>();

function opened({ project, as }: Join): Shared {
  const name = JSON.stringify([project, as]);
  const known = streams.get(name);
  if (known !== undefined) return known;
  const tabs = new Set<MessagePort>();
  const stop = follow(project, (news) => {
    if (news.type !== "changed") shared.last = news;
    for (const tab of tabs) tab.postMessage(news);
  });
  const close = () => {
    stop();
    streams.delete(name);
  };
  const shared: Shared = { tabs, last: null, close };
  streams.set(name, shared);
  return shared;
}

function join(tab: MessagePort, whom: Join): void {
  const shared = opened(whom);
  shared.tabs.add(tab);
  if (shared.last !== null) {
    tab.postMessage(shared.last);
    // What it has read may be from before it was told of changes.
    tab.postMessage({ type: "changed" } satisfies News);
  }
  const leave = () => {
    if (shared.tabs.delete(tab) && shared.tabs.size === 0) shared.close();
  };
  tab.onmessage = leave;
  // A tab that crashed says nothing; browsers that notice tell.
  tab.addEventListener("close", leave);
}

addEventListener("connect", (event) => {
  const [tab] = (event as MessageEvent).ports;
  if (tab !== undefined) tab.onmessage = ({ data }: MessageEvent<Join>) => join(tab, data);
});
