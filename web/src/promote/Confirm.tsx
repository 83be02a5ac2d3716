import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, type Environment, type PromoteReply } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Button, LinkButton } from "../components/Button.tsx";
import { focusTitle } from "../components/focus.ts";
import { Notice } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { isStale, PlanFailure } from "../components/PlanFailure.tsx";
import { useSayingSo } from "../components/SayingSo.tsx";
import { useMay } from "../rights.ts";
import { useAction } from "../useAction.ts";
import { checkInWords } from "../words.ts";
import type { Planned } from "./usePlan.ts";

interface ConfirmProps {
  readonly planned: Planned;
  readonly plan: PromoteReply;
  readonly target: Environment;
  /** The checks that the policy lets an administrator skip. */
  readonly forceable: readonly string[];
  readonly onDone: (reply: PromoteReply) => void;
}

type Force = Exclude<Parameters<typeof api.promote>[0]["force"], true | undefined>;

/** The one button. It applies the very plan that is shown, or nothing. */
export function Confirm({ planned, plan, target, forceable, onDone }: ConfirmProps) {
  const { project_id: project, env } = target;
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const failed = plan.checks.filter(({ status }) => status === "failed").map(({ name }) => name);
  const skippable = useMay(project)("force", env) ? failed.filter((name) => forceable.includes(name)) : [];
  const skipped = skippable.filter((name) => chosen.includes(name));
  const { fields, isSaid, word } = useSayingSo(target, skipped.length > 0);
  const announce = useAnnounce();
  const queries = useQueryClient();
  const promote = useAction({
    mutationFn: () => {
      const force: Force = { reason: word.message ?? "", checks: skipped as NonNullable<Force["checks"]> };
      return api.promote({ ...planned.request, plan_id: plan.plan_id, ...word, ...(skipped.length > 0 && { force }) });
    },
    onSuccess: async (reply) => {
      announce(resultOf(reply));
      onDone(reply);
      focusTitle();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  const left = failed.filter((name) => !skipped.includes(name));
  const needsApproval = left.includes("approvals");
  const isBlocked = left.some((name) => name !== "approvals");
  const isReady = isSaid && !isBlocked && planned.error === null;
  const again = () => {
    promote.reset();
    planned.again();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isReady && !planned.isFetching) promote.act();
  };
  return (
    <Panel title={`5. ${needsApproval ? "Ask for approval" : "Promote"}`}>
      <form onSubmit={submit} className="form">
        {skippable.length > 0 && <Skipping names={skippable} skipped={skipped} onChange={setChosen} />}
        {fields}
        {promote.isError && <PlanFailure error={promote.error} what="promote" again={again} />}
        {isBlocked && <p>First settle what is in the way, above.</p>}
        <div>
          {/* A button that is switched off loses the focus: while the plan is made anew it is only busy. */}
          <Button
            type="submit"
            look={skipped.length > 0 ? "danger" : "primary"}
            busy={promote.isPending || planned.isFetching}
            disabled={!isReady || isStale(promote.error)}
          >
            {needsApproval ? `Ask to promote ${plan.version} to ${env}` : `Promote ${plan.version} to ${env}`}
            {skipped.length > 0 && " all the same"}
          </Button>
        </div>
      </form>
    </Panel>
  );
}

interface SkippingProps {
  readonly names: readonly string[];
  readonly skipped: readonly string[];
  readonly onChange: (skipped: readonly string[]) => void;
}

/** For those who may: what is in the way, and can be left undone for a reason. */
function Skipping({ names, skipped, onChange }: SkippingProps) {
  return (
    <fieldset>
      <legend>What you may skip, as an administrator</legend>
      {names.map((name) => (
        <label key={name} className="check">
          <input
            type="checkbox"
            checked={skipped.includes(name)}
            onChange={({ target }) => onChange(target.checked ? [...skipped, name] : skipped.filter((each) => each !== name))}
          />
          Without: {checkInWords(name)}
        </label>
      ))}
      <p>The history says that you skipped it, and why.</p>
    </fieldset>
  );
}

function resultOf({ status, version, environment }: PromoteReply): string {
  if (status === "pending_approval") return `${version} waits for approval to go to ${environment}.`;
  return status === "no_changes" ? `${environment} has all of it already.` : `${version} was promoted to ${environment}.`;
}

/** What came of it, which stays though there is nothing left to promote. */
export function Done({ reply, target: { project_id: project, env } }: { readonly reply: PromoteReply; readonly target: Environment }) {
  const isWaiting = reply.status === "pending_approval";
  const to = isWaiting ? `/projects/${project}/promotions/${reply.promotion_id}` : `/projects/${project}/env/${env}`;
  return (
    <Notice
      tone={isWaiting ? "info" : "good"}
      title={resultOf(reply)}
      actions={<LinkButton to={to}>{isWaiting ? "See who is waited for" : `Look at ${env}`}</LinkButton>}
    >
      <p>
        {isWaiting ? "Nothing has changed yet. The last approval applies it." : "It should run there now; the Deployment Planner is told."}
      </p>
    </Notice>
  );
}
