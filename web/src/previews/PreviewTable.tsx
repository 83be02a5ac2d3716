import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import { Link } from "react-router";
import type { Environment } from "../api.ts";
import { Badge } from "../components/Badge.tsx";
import { Button } from "../components/Button.tsx";
import { Scroll } from "../components/Scroll.tsx";
import { Ago } from "../components/Time.tsx";
import { statusOf } from "../words.ts";
import styles from "./PreviewTable.module.css";

interface PreviewTableProps {
  readonly rows: readonly Environment[];
  /** How many there are in all, those included that are not loaded yet. */
  readonly total: number;
  /** Whether whoever looks may change it. */
  readonly isOurs: (row: Environment) => boolean;
  readonly onMore: () => void;
  readonly onExtend: (env: string) => void;
  readonly onRestore: (env: string) => void;
}

/** Pixels that a row is at first taken to be high; each is measured once it is there. */
const ROW = 56;
/** Rows before the end of what is loaded at which more are asked for. */
const AHEAD = 40;

/** A table of which only what is looked at is in the page. Its rows say where they stand in the whole. */
export function PreviewTable({ rows, total, isOurs, onMore, onExtend, onRestore }: PreviewTableProps) {
  const scroller = useRef<HTMLElement>(null);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  const visible = virtualizer.getVirtualItems();
  const last = visible.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - AHEAD && rows.length < total) onMore();
  }, [last, rows.length, total, onMore]);
  return (
    <Scroll ref={scroller} label="Previews" className={styles.scroll}>
      <table className={`${styles.table} stacks`} aria-rowcount={total + 1}>
        <caption className="visually-hidden">Previews, {total} in all</caption>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">Preview</th>
            <th scope="col">Of</th>
            <th scope="col">Made by</th>
            <th scope="col">Ends</th>
            <th scope="col">Status</th>
            <th scope="col">Do</th>
          </tr>
        </thead>
        <tbody>
          <Gap height={visible[0]?.start ?? 0} />
          {visible.map(({ index, key }) => {
            const row = rows[index];
            if (row === undefined) return null;
            return (
              <tr key={key} ref={virtualizer.measureElement} data-index={index} aria-rowindex={index + 2}>
                <Cells row={row} isOurs={isOurs(row)} onExtend={onExtend} onRestore={onRestore} />
              </tr>
            );
          })}
          <Gap height={virtualizer.getTotalSize() - (visible.at(-1)?.end ?? 0)} />
        </tbody>
      </table>
    </Scroll>
  );
}

/** Room for the rows that are not in the page. */
function Gap({ height }: { readonly height: number }) {
  if (height <= 0) return null;
  return (
    <tr>
      <td colSpan={6} className={styles.gap} style={{ height }} />
    </tr>
  );
}

type CellsProps = { readonly row: Environment; readonly isOurs: boolean } & Pick<PreviewTableProps, "onExtend" | "onRestore">;

function Cells({ row, isOurs, onExtend, onRestore }: CellsProps) {
  const { project_id: project, env, base_from, version, created_by, created_at, expires_at, source_ref, status, cleared_at } = row;
  const words = statusOf(row);
  return (
    <>
      <th scope="row" className={styles.name}>
        <Link to={`/projects/${project}/env/${env}`}>{env}</Link>
        {source_ref !== null && <span className={styles.soft}>{source_ref}</span>}
      </th>
      <td data-title="Of">
        {base_from ?? "nothing"} <span className={styles.soft}>{version}</span>
      </td>
      <td data-title="Made by">
        {created_by}{" "}
        <span className={styles.soft}>
          <Ago at={created_at} />
        </span>
      </td>
      <td data-title="Ends">{expires_at === null ? "never" : <Ago at={expires_at} />}</td>
      <td data-title="Status">
        <Badge tone={words.tone}>{words.text}</Badge>
      </td>
      <td data-title="Do">
        {isOurs && status === "active" && (
          <Button small onClick={() => onExtend(env)} aria-label={`Extend ${env}`}>
            Extend
          </Button>
        )}
        {isOurs && status !== "active" && cleared_at === null && (
          <Button small onClick={() => onRestore(env)} aria-label={`Bring back ${env}`}>
            Bring back
          </Button>
        )}
      </td>
    </>
  );
}
