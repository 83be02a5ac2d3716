import { useState } from "react";
import { Failure, Loading } from "../components/States.tsx";
import { TextDiff } from "../components/TextDiff.tsx";
import { type Diff, type Sentence, sentencesOf } from "../plan.ts";
import { componentQuery } from "../queries.ts";
import { useRead } from "../useRead.ts";
import styles from "./Changes.module.css";

/** Where a component is looked at: an environment, as it was in a revision. */
interface Place {
  readonly project: string;
  readonly env: string;
  readonly at: number;
}

interface ChangesProps {
  readonly diff: Diff;
  readonly before: Place;
  readonly after: Place;
}

/** What changes, as sentences; what is behind each, for those who open it. */
export function Changes({ diff, before, after }: ChangesProps) {
  return (
    <ul className={styles.sentences}>
      {sentencesOf(diff).map((sentence) => (
        <li key={sentence.text}>
          <Change sentence={sentence} before={before} after={after} />
        </li>
      ))}
    </ul>
  );
}

function Change({ sentence: { text, names }, before, after }: { readonly sentence: Sentence } & Pick<ChangesProps, "before" | "after">) {
  const [isOpen, setOpen] = useState(false);
  const components = names.filter(isComponent);
  if (components.length === 0) return <p className={styles.plain}>{text}</p>;
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary className={styles.summary}>{text}</summary>
      {isOpen && (
        <div className={styles.bodies}>
          {components.slice(0, 20).map((name) => (
            <ComponentChange key={name} name={name} before={before} after={after} />
          ))}
          {components.length > 20 && <p>And {components.length - 20} more, in the comparison.</p>}
        </div>
      )}
    </details>
  );
}

/** What flags share is named by its kind, too, and is no component: rules, and notes. */
function isComponent(name: string): boolean {
  return name.includes("/") && !/^(?:evaluators|flag_metadata)\//.test(name);
}

/** One component before and after, line by line. */
export function ComponentChange({ name, before, after }: { readonly name: string; readonly before: Place; readonly after: Place }) {
  const left = useRead(componentQuery(before.project, before.env, name, before.at));
  const right = useRead(componentQuery(after.project, after.env, name, after.at));
  const error = left.error ?? right.error;
  if (error !== null) return <Failure error={error} what={`load ${name}`} />;
  if (left.isPending || right.isPending) return <Loading what={name} />;
  return <TextDiff title={name} before={left.data} after={right.data} />;
}
