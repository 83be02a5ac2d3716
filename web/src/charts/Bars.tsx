import { Table } from "../components/Table.tsx";
import styles from "./Charts.module.css";

interface Bar {
  readonly label: string;
  /** One number for each series. */
  readonly values: readonly number[];
}

interface BarsProps {
  readonly caption: string;
  /** What the numbers count, each with a look of its own. */
  readonly series: readonly { readonly name: string; readonly look: "main" | "good" | "bad" }[];
  readonly bars: readonly Bar[];
}

const HEIGHT = 120;
const STEP = 28;

/** Bars over time, stacked. The same is in a table behind it. */
export function Bars({ caption, series, bars }: BarsProps) {
  const highest = Math.max(1, ...bars.map(({ values }) => values.reduce((sum, value) => sum + value, 0)));
  return (
    <figure className={styles.figure}>
      <figcaption>
        {caption}{" "}
        {series.length > 1 && (
          <span className={styles.legend}>
            {series.map(({ name, look }) => (
              <span key={name} className={styles.key} data-look={look}>
                {name}
              </span>
            ))}
          </span>
        )}
      </figcaption>
      <svg
        viewBox={`0 0 ${bars.length * STEP} ${HEIGHT + 4}`}
        preserveAspectRatio="none"
        className={styles.bars}
        aria-hidden="true"
        focusable="false"
      >
        {bars.map(({ label, values }, index) => {
          let top = HEIGHT;
          return values.map((value, which) => {
            const height = (value / highest) * (HEIGHT - 4);
            top -= height;
            return (
              <rect
                key={`${label} ${series[which]?.name}`}
                x={index * STEP + 4}
                y={top}
                width={STEP - 8}
                height={height}
                data-look={series[which]?.look}
                className={styles.bar}
              >
                <title>{`${label}: ${value}`}</title>
              </rect>
            );
          });
        })}
        <line x1={0} x2={bars.length * STEP} y1={HEIGHT + 1} y2={HEIGHT + 1} className={styles.base} />
      </svg>
      <span className={styles.axis}>
        <span>{bars[0]?.label}</span>
        <span>{bars.at(-1)?.label}</span>
      </span>
      <details>
        <summary>As a table</summary>
        <Table
          caption={caption}
          rows={bars}
          keyOf={({ label }) => label}
          columns={[
            { title: "When", cell: ({ label }) => label },
            ...series.map(({ name }, which) => ({ title: name, numeric: true, cell: ({ values }: Bar) => values[which] ?? 0 })),
          ]}
        />
      </details>
    </figure>
  );
}
