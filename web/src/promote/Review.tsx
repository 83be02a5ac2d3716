import { useState } from "react";
import { Link } from "react-router";
import type { Environment, PromoteReply } from "../api.ts";
import { LinkButton } from "../components/Button.tsx";
import { Notice } from "../components/Notice.tsx";
import { Panel, Technical } from "../components/Panel.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { useWaiting, Waits } from "../components/Waiting.tsx";
import { useForceable } from "../policy.ts";
import { Changes } from "./Changes.tsx";
import { Checks } from "./Checks.tsx";
import { Confirm, Done } from "./Confirm.tsx";
import { Conflicts, Divergence } from "./Conflicts.tsx";
import { Missing } from "./Missing.tsx";
import { usePlan } from "./usePlan.ts";

interface ReviewProps {
  readonly source: Environment;
  readonly target: Environment;
  readonly version: string | null;
  readonly only: readonly string[];
}

export function Review(ends: ReviewProps) {
  const planned = usePlan(ends);
  const { plan, error, again } = planned;
  const { source, target } = ends;
  const forceable = useForceable(target);
  const waiting = useWaiting(target.project_id, source.env, target.env).slice(0, 3);
  const [done, setDone] = useState<PromoteReply | null>(null);
  if (done !== null) return <Done reply={done} target={target} />;
  if (plan === undefined) {
    return error === null ? <Loading what="what would change" /> : <Failure error={error} what="plan the promotion" onRetry={again} />;
  }
  if (plan.changes_nothing === true && plan.conflicts === undefined) return <Nothing source={source} target={target} />;
  return (
    <>
      {waiting.map((promotion) => (
        <Notice key={promotion.id} tone="info" title={`A promotion to ${target.env} waits already`}>
          <p>
            <Waits promotion={promotion} /> What you ask for here is another one, beside it.
          </p>
        </Notice>
      ))}
      <Panel title="2. What changes">
        <p>
          {target.env} goes from <strong>{target.version}</strong> to <strong>{plan.version}</strong>.
        </p>
        <Changes
          diff={plan.diff_from_previous}
          before={{ project: target.project_id, env: target.env, at: plan.revision }}
          after={{ project: source.project_id, env: source.env, at: plan.source_revision }}
        />
        {plan.warnings?.map((warning) => (
          <Notice key={warning} tone="warn" title={warning} />
        ))}
      </Panel>
      <Panel title="3. What stays as it is">
        <Staying plan={plan} source={source} target={target} />
      </Panel>
      <Panel title="4. What is asked before">
        <Divergence planned={planned} target={target} />
        <Conflicts planned={planned} source={source} target={target} />
        <Missing planned={planned} target={target} />
        {error !== null && <Failure error={error} what="plan that" onRetry={again} />}
        <Checks checks={plan.checks} forceable={forceable} />
        <Technical>
          <p>
            Plan <code>{plan.plan_id}</code>, revision {plan.source_revision} of {source.env} onto revision {plan.revision} of {target.env},{" "}
            {plan.relation}.
          </p>
        </Technical>
      </Panel>
      <Confirm planned={planned} plan={plan} target={target} forceable={forceable} onDone={setDone} />
    </>
  );
}

function Nothing({ source, target }: Pick<ReviewProps, "source" | "target">) {
  return (
    <Notice
      tone="good"
      title="There is nothing to promote"
      actions={<LinkButton to={`/projects/${source.project_id}`}>Back to the pipeline</LinkButton>}
    >
      <p>
        {target.env} has everything of {source.env} already.
      </p>
    </Notice>
  );
}

function Staying({ plan, source, target }: { readonly plan: PromoteReply } & Pick<ReviewProps, "source" | "target">) {
  const compare = `/projects/${source.project_id}/compare?left=${source.env}&right=${target.env}`;
  return (
    <ul className="bullets">
      <li>
        The values of {target.env} stay its own: nothing of {source.env}’s configuration takes their place.
      </li>
      <li>Passwords never travel. Each environment has its own in the vault.</li>
      <li>
        Feature flags that {target.env} has stay as they are
        {plan.diff_from_previous.flags_changed.length > 0 ? "; new ones arrive switched off" : ""}.
      </li>
      <li>What people entered into the product is not touched: a version has no business data.</li>
      <li>
        <Link to={compare}>Compare both sides in full</Link>
      </li>
    </ul>
  );
}
