import { Table } from "../components/Table.tsx";
import { Moment, useNow } from "../components/Time.tsx";
import { lengthOf } from "../time.ts";
import styles from "./Charts.module.css";

interface Lane {
  readonly name: string;
  /** Oldest first; each lasts until the next one. Times in milliseconds since 1970. */
  readonly stays: readonly { readonly label: string; readonly from: number }[];
}

const WIDTH = 1_000;
const LANE = 46;
/** What was for a moment, or is since a moment ago, is seen all the same. */
const NARROWEST = 4;

/** A lane for each name, in which one thing follows another. The same is in a table behind it. */
export function Lanes({ lanes, caption }: { readonly lanes: readonly Lane[]; readonly caption: string }) {
  const now = useNow();
  const start = Math.min(now - 60_000, ...lanes.flatMap(({ stays }) => stays.map(({ from }) => from)));
  const x = (time: number) => ((time - start) / Math.max(1, now - start)) * WIDTH;
  const rows = lanes.flatMap(({ name, stays }) =>
    stays.map(({ label, from }, index) => ({ name, label, from, until: stays[index + 1]?.from ?? null })),
  );
  return (
    <figure className={styles.figure}>
      <figcaption className="visually-hidden">{caption}</figcaption>
      <ul className={styles.lanes} aria-hidden="true">
        {lanes.map(({ name, stays }) => (
          <li key={name} className={styles.lane}>
            <span className={styles.name}>{name}</span>
            <svg viewBox={`0 0 ${WIDTH} ${LANE}`} preserveAspectRatio="none" className={styles.track} aria-hidden="true" focusable="false">
              {stays.map(({ label, from }, index) => {
                const [left, right] = [x(from), x(stays[index + 1]?.from ?? now)];
                return (
                  <rect
                    key={`${from} ${label}`}
                    x={Math.min(left, WIDTH - NARROWEST)}
                    y={6}
                    width={Math.max(NARROWEST, right - left - 2)}
                    height={LANE - 12}
                    rx={3}
                    className={index === stays.length - 1 ? styles.current : styles.past}
                  >
                    <title>{label}</title>
                  </rect>
                );
              })}
            </svg>
            <span className={styles.now}>{stays.at(-1)?.label}</span>
          </li>
        ))}
        <li className={styles.lane}>
          <span />
          <span className={styles.axis}>
            <span>{lengthOf(now - start)} ago</span>
            <span>now</span>
          </span>
          <span />
        </li>
      </ul>
      <details>
        <summary>As a table</summary>
        <Table
          caption={caption}
          rows={rows}
          keyOf={({ name, from }) => `${name} ${from}`}
          columns={[
            { title: "Environment", cell: ({ name }) => name },
            { title: "Version", cell: ({ label }) => label },
            { title: "From", cell: ({ from }) => <Moment at={new Date(from).toISOString()} /> },
            { title: "For", cell: ({ from, until }) => lengthOf((until ?? now) - from) },
          ]}
        />
      </details>
    </figure>
  );
}
