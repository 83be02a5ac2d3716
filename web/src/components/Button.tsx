import type { ComponentProps, ReactNode } from "react";
import { Link, type LinkProps } from "react-router";
import styles from "./Button.module.css";

type Look = "primary" | "secondary" | "danger" | "quiet";

function classOf(look: Look, small: boolean): string {
  return [styles.button, styles[look], small ? styles.small : ""].join(" ").trim();
}

interface ButtonProps extends Omit<ComponentProps<"button">, "className"> {
  readonly look?: Look;
  readonly small?: boolean;
  /** Work is under way: what was pressed once is not pressed again, and keeps its focus. */
  readonly busy?: boolean;
}

export function Button({ look = "secondary", small = false, busy = false, type = "button", onClick, children, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className={classOf(look, small)}
      aria-busy={busy || undefined}
      aria-disabled={busy || undefined}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
    >
      {busy && <span className={styles.spinner} aria-hidden="true" />}
      {children}
    </button>
  );
}

interface LinkButtonProps extends Omit<LinkProps, "className"> {
  readonly look?: Look;
  readonly small?: boolean;
  readonly children: ReactNode;
}

/** A link that is the page's action: it goes somewhere, so it is a link, and looks like what is pressed. */
export function LinkButton({ look = "secondary", small = false, ...rest }: LinkButtonProps) {
  return <Link {...rest} className={classOf(look, small)} />;
}
