import { useState } from "react";
import type { Comparison } from "../api.ts";
import { Badge, type Tone } from "../components/Badge.tsx";
import { TextDiff } from "../components/TextDiff.tsx";
import { ComponentChange } from "../promote/Changes.tsx";
import { listed, plural } from "../words.ts";
import styles from "./Differences.module.css";

export type Kind = "components" | "vars" | "flags" | "evaluators" | "flag_metadata" | "secrets";
type Side = Comparison["left"];

interface DifferencesProps {
  readonly project: string;
  readonly kind: Kind;
  readonly left: Side;
  readonly right: Side;
  readonly differences: Comparison["vars"];
  /** What is selected; `null` where nothing can be. */
  readonly chosen: ReadonlySet<string> | null;
  readonly onChoose: (chosen: ReadonlySet<string>) => void;
}

interface Difference {
  readonly name: string;
  readonly where: "left" | "right" | "both";
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Rows shown before somebody asks for all. */
const FIRST = 100;

export function Differences({ project, kind, left, right, differences, chosen, onChoose }: DifferencesProps) {
  const [isWhole, setWhole] = useState(false);
  const all = rowsOf(differences);
  const { undisclosed = [] } = differences;
  const shown = isWhole ? all : all.slice(0, FIRST);
  const toggle = (name: string, isOn: boolean) => {
    const next = new Set(chosen);
    if (isOn) next.add(name);
    else next.delete(name);
    onChoose(next);
  };
  return (
    <>
      <p className={styles.soft}>
        {differences.same_count > 0 &&
          `${plural(differences.same_count, "other")} ${differences.same_count === 1 ? "is" : "are"} the same.`}
        {differences.same_count === 0 && undisclosed.length === 0 && "Nothing else is on both sides."}
        {kind === "secrets" && " Values are never shown; whether two are equal is told to those alone who may reveal both."}
      </p>
      <ul className={styles.list}>
        {shown.map((difference) => (
          <li key={difference.name} className={styles.entry}>
            {chosen !== null && (
              <input
                type="checkbox"
                aria-label={`Select ${difference.name}`}
                checked={chosen.has(difference.name)}
                onChange={({ target }) => toggle(difference.name, target.checked)}
              />
            )}
            <Entry project={project} kind={kind} left={left} right={right} difference={difference} />
          </li>
        ))}
      </ul>
      {all.length > shown.length && (
        <button type="button" className={styles.all} onClick={() => setWhole(true)}>
          Show all {all.length}
        </button>
      )}
      {undisclosed.length > 0 && (
        <p className={styles.soft}>Both sides have these; whether they are equal is not told to you: {listed(undisclosed, 10)}.</p>
      )}
      {(differences.omitted ?? 0) > 0 && <p className={styles.soft}>{differences.omitted} more differences are not listed.</p>}
    </>
  );
}

function rowsOf({ only_left, only_right, different }: Comparison["vars"]): readonly Difference[] {
  return [
    ...only_left.map((name) => ({ name, where: "left" as const })),
    ...different.map(({ name, left, right }) => ({ name, where: "both" as const, before: right, after: left })),
    ...only_right.map((name) => ({ name, where: "right" as const })),
  ];
}

type EntryProps = Pick<DifferencesProps, "project" | "kind" | "left" | "right"> & { readonly difference: Difference };

function Entry({ project, kind, left, right, difference }: EntryProps) {
  const [isOpen, setOpen] = useState(false);
  const { name, where, before, after } = difference;
  const words = wordsOf(where, left, right);
  const head = (
    <>
      <Badge tone={words.tone}>{words.text}</Badge> <code>{name}</code>
    </>
  );
  if (kind === "secrets" || (kind !== "components" && where !== "both")) return <p>{head}</p>;
  if (kind === "vars" || kind === "flag_metadata") {
    return (
      <div>
        <p>{head}</p>
        <p className={styles.values}>
          <span>
            {left.env}: <code>{String(after)}</code>
          </span>
          <span>
            {right.env}: <code>{String(before)}</code>
          </span>
        </p>
      </div>
    );
  }
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)} className={styles.details}>
      <summary>{head}</summary>
      {isOpen &&
        (kind === "components" ? (
          <ComponentChange
            name={name}
            before={{ project, env: right.env, at: right.revision }}
            after={{ project, env: left.env, at: left.revision }}
          />
        ) : (
          <TextDiff title={name} before={before} after={after} />
        ))}
    </details>
  );
}

function wordsOf(where: Difference["where"], left: Side, right: Side): { readonly tone: Tone; readonly text: string } {
  const isOneEnvironment = left.env === right.env;
  if (where === "both") return { tone: "info", text: "different" };
  const side = where === "left" ? left : right;
  return { tone: where === "left" ? "good" : "warn", text: `only in ${isOneEnvironment ? `revision ${side.revision}` : side.env}` };
}
