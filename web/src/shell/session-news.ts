const CHANNEL = "envm-session";

type SessionNews = "in" | "out";

/** Tabs of one browser share a session: whoever logs in or out in one tells the others, which ask who they are now. */
export function tellOtherTabs(news: SessionNews): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(news);
  channel.close();
}

/** @returns what ends it */
export function hearOtherTabs(heard: (news: SessionNews) => void): () => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }: MessageEvent<SessionNews>) => heard(data);
  return () => channel.close();
}
