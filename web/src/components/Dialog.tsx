import { type ReactNode, useEffect, useId, useRef } from "react";
import { Button } from "./Button.tsx";
import styles from "./Dialog.module.css";
import { giveBackFocus } from "./focus.ts";

interface DialogProps {
  readonly title: string;
  /** Left out where there is no way around it. */
  readonly onClose?: () => void;
  readonly children: ReactNode;
  readonly wide?: boolean;
}

/**
 * The browser's own modal dialog: it keeps focus inside, closes by Escape, and gives focus back to what opened it. It is in the page
 * only while it is open.
 */
export function Dialog({ title, onClose, children, wide = false }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    const opener = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      giveBackFocus(opener);
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={`${styles.dialog} ${wide ? styles.wide : ""}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      // Browsers close one by themselves that refuses Escape a second time.
      onClose={({ currentTarget }) => onClose === undefined && currentTarget.isConnected && currentTarget.showModal()}
    >
      <header className={styles.header}>
        <h2 id={heading}>{title}</h2>
        {onClose !== undefined && (
          <Button look="quiet" small onClick={onClose} aria-label="Close">
            ✕
          </Button>
        )}
      </header>
      <div className={styles.body}>{children}</div>
    </dialog>
  );
}

export function DialogActions({ children }: { readonly children: ReactNode }) {
  return <div className={styles.actions}>{children}</div>;
}
