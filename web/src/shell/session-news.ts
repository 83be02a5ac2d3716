const CHANNEL = "envm-session";

/** Tabs of one browser share a session: whoever logs in or out in one tells the others, which ask who they are now. */
export function tellOtherTabs(): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(null);
  channel.close();
}

/** @returns what ends it */
export function hearOtherTabs(heard: () => void): () => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = heard;
  return () => channel.close();
}
