/** What had the focus goes with what somebody did, and would take the focus with it: the page's title has it then. */
export function focusTitle(): void {
  document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
}

/** Gives the focus back to what opened a dialog. That may be gone, or go as soon as the page shows what was done. */
export function giveBackFocus(opener: Element | null): void {
  if (!(opener instanceof HTMLElement) || !opener.isConnected) {
    focusTitle();
    return;
  }
  opener.focus();
  if (document.activeElement !== opener) return;
  const watch = new MutationObserver(() => {
    if (document.activeElement === opener) return;
    watch.disconnect();
    if (!opener.isConnected && document.activeElement === document.body) focusTitle();
  });
  watch.observe(document.body, { childList: true, subtree: true });
}
