import { Link } from "react-router";
import type { Revision } from "../api.ts";
import { changedWhat, whatHappened } from "../words.ts";
import styles from "./HistoryList.module.css";
import { Ago } from "./Time.tsx";

/** Revisions as what somebody did, newest first. Each can be compared with the one before it. */
export function HistoryList({ revisions }: { readonly revisions: readonly Revision[] }) {
  return (
    <ol className={styles.list}>
      {revisions.map((revision) => (
        <li key={`${revision.env}@${revision.revision}`} className={styles.entry} data-action={revision.action}>
          <p>
            <strong>{revision.version}</strong> · {whatHappened(revision)}
          </p>
          <p className={styles.soft}>
            <Ago at={revision.timestamp} /> · {changedWhat(revision)}
            {revision.revision > 1 && (
              <>
                {" · "}
                <Link to={comparison(revision)} aria-label={`what changed in revision ${revision.revision}`}>
                  what changed
                </Link>
              </>
            )}
          </p>
          {revision.message !== null && <p className={styles.message}>“{revision.message}”</p>}
        </li>
      ))}
    </ol>
  );
}

function comparison({ project_id: project, env, revision }: Revision): string {
  return `/projects/${project}/compare?${new URLSearchParams({ left: `${env}@${revision}`, right: `${env}@${revision - 1}` })}`;
}
