import { useQueryClient } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { api, type Environment, type PromoteReply } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Button, LinkButton } from "../components/Button.tsx";
import { Notice } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { isStale, PlanFailure } from "../components/PlanFailure.tsx";
import { useSayingSo } from "../components/SayingSo.tsx";
import { useAction } from "../useAction.ts";
import type { Planned } from "./usePlan.ts";

interface ConfirmProps {
  readonly planned: Planned;
  readonly plan: PromoteReply;
  readonly target: Environment;
  readonly onDone: (reply: PromoteReply) => void;
}

/** The one button. It applies the very plan that is shown, or nothing. */
export function Confirm({ planned, plan, target, onDone }: ConfirmProps) {
  const { project_id: project, env } = target;
  const { fields, isSaid, word } = useSayingSo(target);
  const announce = useAnnounce();
  const queries = useQueryClient();
  const promote = useAction({
    mutationFn: () => api.promote({ ...planned.request, plan_id: plan.plan_id, ...word }),
    onSuccess: async (reply) => {
      announce(resultOf(reply));
      onDone(reply);
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  const needsApproval = plan.checks.some(({ name: check, status }) => check === "approvals" && status === "failed");
  const blocked = plan.checks.filter(({ name: check, status }) => status === "failed" && check !== "approvals");
  const isReady = isSaid && blocked.length === 0;
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
        {fields}
        {promote.isError && <PlanFailure error={promote.error} what="promote" again={again} />}
        {blocked.length > 0 && <p>First settle what is in the way, above.</p>}
        <div>
          {/* A button that is switched off loses the focus: while the plan is made anew it is only busy. */}
          <Button type="submit" look="primary" busy={promote.isPending || planned.isFetching} disabled={!isReady || isStale(promote.error)}>
            {needsApproval ? `Ask to promote ${plan.version} to ${env}` : `Promote ${plan.version} to ${env}`}
          </Button>
        </div>
      </form>
    </Panel>
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
