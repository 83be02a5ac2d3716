import { structuredPatch } from "diff";
import { useMemo } from "react";
import { Scroll } from "./Scroll.tsx";
import styles from "./TextDiff.module.css";

interface TextDiffProps {
  readonly title: string;
  /** Any JSON; `undefined` where there is nothing on that side. */
  readonly before: unknown;
  readonly after: unknown;
}

/** Lines shown of one difference: more helps nobody, and holds up the page. */
const LINES = 400;

/** Lines added and removed up to which a difference is looked for: the page stands still meanwhile, for as long as their square. */
const EDITS = 2_000;

const KINDS: Readonly<Record<string, { readonly style: string; readonly word: string }>> = {
  "+": { style: "added", word: "added" },
  "-": { style: "removed", word: "removed" },
  " ": { style: "same", word: "" },
};

/** Two values as text, line by line. What was added and removed has a sign and a word, and not its colour alone. */
export function TextDiff({ title, before, after }: TextDiffProps) {
  const lines = useMemo(() => linesOf(before, after), [before, after]);
  if (lines === null) return <p>Too much of {title} is different to show it line by line.</p>;
  if (lines.length === 0) return <p>{title} is the same on both sides.</p>;
  const shown = lines.slice(0, LINES);
  return (
    <figure className={styles.diff}>
      <figcaption className={styles.title}>{title}</figcaption>
      <Scroll label={`Difference of ${title}`} className={styles.scroll}>
        <pre className={styles.text}>
          {shown.map((line, index) => {
            const kind = KINDS[line[0] ?? " "] ?? { style: "gap", word: "" };
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name, and never move
              <span key={index} className={styles[kind.style]}>
                {kind.word !== "" && <span className="visually-hidden">{kind.word}: </span>}
                {line}
                {"\n"}
              </span>
            );
          })}
        </pre>
      </Scroll>
      {lines.length > LINES && <p className={styles.more}>{lines.length - LINES} more lines are not shown.</p>}
    </figure>
  );
}

/** @returns `null` where more differs than is looked for */
export function linesOf(before: unknown, after: unknown): readonly string[] | null {
  const options = { context: 3, maxEditLength: EDITS };
  const patch = structuredPatch("", "", textOf(before), textOf(after), "", "", options) as { hunks: { lines: string[] }[] } | undefined;
  if (patch === undefined) return null;
  return patch.hunks.flatMap(({ lines }, index) => [...(index > 0 ? ["…"] : []), ...lines.filter((line) => !line.startsWith("\\"))]);
}

export function textOf(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? `${value}\n` : `${JSON.stringify(value, null, 2)}\n`;
}
