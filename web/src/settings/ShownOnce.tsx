import { useState } from "react";
import { Button } from "../components/Button.tsx";
import { Notice } from "../components/Notice.tsx";
import styles from "./ShownOnce.module.css";

/** A secret that is shown now and never again. It is in the page only while the dialog is open. */
export function ShownOnce({ what, secret }: { readonly what: string; readonly secret: string }) {
  const [isCopied, setCopied] = useState(false);
  return (
    <Notice tone="warn" title="Shown this once">
      <p>{what} Keep it where passwords are kept.</p>
      <code className={styles.secret}>{secret}</code>
      {/* Where the page came over plain HTTP from another machine, browsers have no clipboard for it. */}
      {"clipboard" in navigator && (
        <div>
          <Button small onClick={() => void navigator.clipboard.writeText(secret).then(() => setCopied(true))}>
            {isCopied ? "Copied" : "Copy"}
          </Button>
        </div>
      )}
    </Notice>
  );
}
