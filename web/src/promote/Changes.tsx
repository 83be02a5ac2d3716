import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Environment, PromoteReply } from "../api.ts";
import { Notice } from "../components/Notice.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { TextDiff } from "../components/TextDiff.tsx";
import { type Sentence, sentencesOf } from "../plan.ts";
import { componentQuery } from "../queries.ts";
import styles from "./Changes.module.css";

interface ChangesProps {
  readonly plan: PromoteReply;
  readonly source: Environment;
  readonly target: Environment;
}

/** What changes, as sentences; what is behind each, for those who open it. */
export function Changes({ plan, source, target }: ChangesProps) {
  return (
    <>
      <p>
        {target.env} goes from <strong>{target.version}</strong> to <strong>{plan.version}</strong>.
      </p>
      <ul className={styles.sentences}>
        {sentencesOf(plan.diff_from_previous).map((sentence) => (
          <li key={sentence.text}>
            <Change sentence={sentence} plan={plan} source={source} target={target} />
          </li>
        ))}
      </ul>
      {plan.warnings?.map((warning) => (
        <Notice key={warning} tone="warn" title={warning} />
      ))}
    </>
  );
}

function Change({ sentence: { text, names }, plan, source, target }: ChangesProps & { readonly sentence: Sentence }) {
  const [isOpen, setOpen] = useState(false);
  const components = names.filter((name) => name.includes("/"));
  if (components.length === 0) return <p className={styles.plain}>{text}</p>;
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary className={styles.summary}>{text}</summary>
      {isOpen && (
        <div className={styles.bodies}>
          {components.slice(0, 20).map((name) => (
            <ComponentChange
              key={name}
              name={name}
              before={{ project: target.project_id, env: target.env, at: plan.revision }}
              after={{ project: source.project_id, env: source.env, at: plan.source_revision }}
            />
          ))}
          {components.length > 20 && <p>And {components.length - 20} more, in the comparison.</p>}
        </div>
      )}
    </details>
  );
}

interface Place {
  readonly project: string;
  readonly env: string;
  readonly at: number;
}

/** One component before and after, line by line. */
export function ComponentChange({ name, before, after }: { readonly name: string; readonly before: Place; readonly after: Place }) {
  const left = useQuery(componentQuery(before.project, before.env, name, before.at));
  const right = useQuery(componentQuery(after.project, after.env, name, after.at));
  const error = left.error ?? right.error;
  if (error !== null) return <Failure error={error} what={`load ${name}`} />;
  if (left.isPending || right.isPending) return <Loading what={name} />;
  return <TextDiff title={name} before={left.data} after={right.data} />;
}
