import { lazy, Suspense, useEffect, useState } from "react";
import { Dialog } from "../components/Dialog.tsx";
import { Loading } from "../components/States.tsx";
import styles from "./Palette.module.css";

const Destinations = lazy(() => import("./Destinations.tsx"));

/** Ctrl+K: every page by its name. */
export function Palette() {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setOpen(true);
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
  return (
    <>
      <button type="button" className={styles.opener} onClick={() => setOpen(true)} aria-keyshortcuts="Control+K">
        <span>Go to …</span> <kbd>Ctrl K</kbd>
      </button>
      {isOpen && (
        <Dialog title="Go to" onClose={() => setOpen(false)}>
          <Suspense fallback={<Loading what="the pages" />}>
            <Destinations onChosen={() => setOpen(false)} />
          </Suspense>
        </Dialog>
      )}
    </>
  );
}
