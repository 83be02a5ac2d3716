import { useId } from "react";
import type { Environment, PromoteReply } from "../api.ts";
import { Notice } from "../components/Notice.tsx";
import { TextDiff } from "../components/TextDiff.tsx";
import { listed } from "../words.ts";
import styles from "./Conflicts.module.css";
import type { Planned } from "./usePlan.ts";

/** The target has changes of its own: what becomes of them is somebody's to say. */
export function Divergence({ planned, target }: { readonly planned: Planned; readonly target: Environment }) {
  const name = useId();
  const { strategy } = planned.decisions;
  const check = planned.plan?.checks.find((each) => each.name === "diverged");
  if (strategy === null && check?.status !== "failed") return null;
  const lost = (check?.details?.lost ?? []) as readonly string[];
  const choose = (value: "merge" | "replace") => planned.decide({ strategy: value, resolve: {} });
  return (
    <fieldset className={styles.choice}>
      <legend>{target.env} has changes of its own that would be lost</legend>
      {lost.length > 0 && <p>{listed(lost, 8)}.</p>}
      <label className={styles.option}>
        <input type="radio" name={name} checked={strategy === "merge"} onChange={() => choose("merge")} />
        <span>
          <strong>Keep both</strong>: merge the changes of both sides
        </span>
      </label>
      <label className={styles.option}>
        <input type="radio" name={name} checked={strategy === "replace"} onChange={() => choose("replace")} />
        <span>
          <strong>Give up {target.env}’s changes</strong>: it becomes exactly what the source is
        </span>
      </label>
    </fieldset>
  );
}

interface ConflictsProps {
  readonly planned: Planned;
  readonly source: Environment;
  readonly target: Environment;
}

/** Of a merge: all that both sides changed in ways that do not go together, settled one by one. */
export function Conflicts({ planned, source, target }: ConflictsProps) {
  const conflicts = planned.plan?.conflicts ?? [];
  if (conflicts.length === 0) return null;
  return (
    <Notice
      tone="warn"
      title={`${conflicts.length === 1 ? "One component was" : `${conflicts.length} components were`} changed on both sides`}
    >
      <ul className={styles.conflicts}>
        {conflicts.map((conflict) => (
          <li key={conflict.component}>
            <Conflict conflict={conflict} planned={planned} source={source} target={target} />
          </li>
        ))}
      </ul>
    </Notice>
  );
}

type ConflictOf = NonNullable<PromoteReply["conflicts"]>[number];

function Conflict({ conflict, planned, source, target }: ConflictsProps & { readonly conflict: ConflictOf }) {
  const name = useId();
  const { resolve } = planned.decisions;
  const { component, ours, theirs, omitted } = conflict;
  const settle = (side: "ours" | "theirs") => planned.decide({ resolve: { ...resolve, [component]: side } });
  return (
    <fieldset className={styles.choice}>
      <legend>{component}</legend>
      <label className={styles.option}>
        <input type="radio" name={name} checked={resolve[component] === "ours"} onChange={() => settle("ours")} />
        <span>Keep {target.env}’s</span>
      </label>
      <label className={styles.option}>
        <input type="radio" name={name} checked={resolve[component] === "theirs"} onChange={() => settle("theirs")} />
        <span>Take {source.env}’s</span>
      </label>
      <details>
        <summary>Both, line by line</summary>
        {omitted === true ? <p>Too large to show here.</p> : <TextDiff title={component} before={ours} after={theirs} />}
      </details>
    </fieldset>
  );
}
