import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router";
import { personOf } from "../../../src/actors.ts";
import { api, type Promotion } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Badge } from "../components/Badge.tsx";
import { Button, LinkButton } from "../components/Button.tsx";
import { Field } from "../components/Field.tsx";
import { focusTitle } from "../components/focus.ts";
import { Notice } from "../components/Notice.tsx";
import { Page } from "../components/Page.tsx";
import { Facts, Panel, Technical } from "../components/Panel.tsx";
import { Empty, Failure, Loading } from "../components/States.tsx";
import { Ago, Moment } from "../components/Time.tsx";
import { Changes } from "../promote/Changes.tsx";
import { Checks } from "../promote/Checks.tsx";
import { promotionQuery, sessionQuery } from "../queries.ts";
import { useMay } from "../rights.ts";
import { useAction } from "../useAction.ts";
import { useRead } from "../useRead.ts";
import { listed } from "../words.ts";
import styles from "./PromotionPage.module.css";
import { PROMOTION_STATUS } from "./Promotions.tsx";

/** One promotion on its way: the steps it went, what it changes, who agreed, and what one can say to it. */
export default function PromotionPage() {
  const { project = "", id = "" } = useParams();
  const promotion = useRead(promotionQuery(project, id));
  const title = promotion.data == null ? "Promotion" : `${promotion.data.version} to ${promotion.data.target_env}`;
  return (
    <Page title={title} eyebrow={<Link to={`/projects/${project}/promotions`}>Approvals</Link>}>
      {promotion.isPending && <Loading what="the promotion" />}
      {promotion.isError && <Failure error={promotion.error} what="load the promotion" onRetry={() => void promotion.refetch()} />}
      {promotion.data === null && (
        <Empty
          title="There is no such promotion, or none that you may see"
          action={<LinkButton to={`/projects/${project}/promotions`}>All promotions</LinkButton>}
        >
          Its address may have been copied only in part.
        </Empty>
      )}
      {promotion.data != null && <Contents promotion={promotion.data} />}
    </Page>
  );
}

function Contents({ promotion }: { readonly promotion: Promotion }) {
  const { status, source_env, target_env, version, checks, message, diff_from_previous, plan_id, id, closed_reason } = promotion;
  return (
    <>
      <Panel title="Steps">
        <Steps promotion={promotion} />
        {closed_reason !== null && status !== "applied" && <Notice tone="info" title={closed_reason} />}
      </Panel>
      <Panel title="What changes">
        <p>
          {version} goes from {source_env} to {target_env}.{message !== null && ` “${message}”`}
        </p>
        <Changes
          diff={diff_from_previous}
          before={{ project: promotion.project_id, env: target_env, at: promotion.target_revision }}
          after={{ project: promotion.project_id, env: source_env, at: promotion.source_revision }}
        />
      </Panel>
      <Panel title="Checks">
        <Checks checks={checks} />
        <Technical>
          <Facts
            facts={[
              { name: "Promotion", value: <code>{id}</code> },
              { name: "Plan", value: <code>{plan_id}</code> },
              { name: "Source", value: `${source_env}, revision ${promotion.source_revision}` },
              { name: "Target", value: `${target_env}, revision ${promotion.target_revision}` },
            ]}
          />
        </Technical>
      </Panel>
      {status === "pending" && <Decision promotion={promotion} />}
    </>
  );
}

/** How it goes on from here. */
function whatIsNext({ requested_by, approvals, missing, waiting_for }: Promotion): string {
  if (missing === 0) return "It is applied by itself as soon as what is in the way below is gone.";
  if (waiting_for === null)
    return `Waits for anybody but ${listed([requested_by, ...approvals.map(({ by }) => by)])}; the last approval applies it.`;
  if (waiting_for.length < missing)
    return `It can never have them all: ${requested_by} asked for it, and the policy names too few others. Withdraw it, and have somebody else ask; or name one more in the policy.`;
  return `Waits for ${listed(waiting_for)}; the last approval applies it.`;
}

function Steps({ promotion }: { readonly promotion: Promotion }) {
  const { requested_by, requested_at, approvals, needed, rejection, status, closed_at, expires_at } = promotion;
  const { tone, text } = PROMOTION_STATUS[status];
  return (
    <ol className={styles.steps}>
      <li data-done>
        Asked for by {requested_by}, <Ago at={requested_at} />
      </li>
      {approvals.map(({ by, at, comment }) => (
        <li key={by} data-done>
          Approved by {by}, <Ago at={at} />
          {comment !== null && `: “${comment}”`}
        </li>
      ))}
      {rejection !== null && (
        <li data-done>
          {rejection.by === requested_by ? "Withdrawn" : "Turned down"} by {rejection.by}, <Ago at={rejection.at} />
          {rejection.comment !== null && `: “${rejection.comment}”`}
        </li>
      )}
      {status === "pending" && (
        <li>
          {approvals.length} of {needed} approvals. {whatIsNext(promotion)} It ends unanswered on <Moment at={expires_at} />.
        </li>
      )}
      {status !== "pending" && (
        <li data-done>
          <Badge tone={tone}>{text}</Badge> {closed_at !== null && <Ago at={closed_at} />}
        </li>
      )}
    </ol>
  );
}

/** Why somebody cannot approve, and what they can do instead; `null` for who can. */
function standingOf({ requested_by, approvals, waiting_for, missing }: Promotion, actor: string) {
  const isActor = (name: string) => personOf(name) === personOf(actor);
  if (isActor(requested_by)) {
    return {
      title: "You asked for this, so somebody else has to agree",
      text: "Send them the address of this page. Nothing changes until then.",
      verb: "Withdraw",
    };
  }
  if (approvals.some(({ by }) => isActor(by))) {
    const text = missing > 0 ? "Somebody else has to agree too." : "It is applied by itself as soon as what is in the way above is gone.";
    return { title: "You approved this", text, verb: "Turn down after all" };
  }
  if (waiting_for === null || waiting_for.includes(actor)) return null;
  const others = waiting_for.length === 0 ? "Those whom the policy names have agreed." : `It waits for ${listed(waiting_for)}.`;
  return { title: "By the policy, others approve this", text: others, verb: "Turn down" };
}

function Decision({ promotion }: { readonly promotion: Promotion }) {
  const { project_id: project, target_env } = promotion;
  const session = useRead(sessionQuery).data;
  const mayDecide = useMay(project)("approve", target_env);
  if (session === undefined) return null;
  const standing = standingOf(promotion, session.actor);
  return (
    <>
      {standing !== null && (
        <Notice tone="info" title={standing.title}>
          <p>{standing.text}</p>
        </Notice>
      )}
      {standing === null && !mayDecide && (
        <Notice tone="info" title={`Whoever may approve in ${target_env} decides`}>
          <p>Your token may not. Send them the address of this page.</p>
        </Notice>
      )}
      {mayDecide && <Word promotion={promotion} mayApprove={standing === null} no={standing?.verb ?? "Turn down"} />}
    </>
  );
}

interface WordProps {
  readonly promotion: Promotion;
  readonly mayApprove: boolean;
  /** What it is called to say no. */
  readonly no: string;
}

function Word({ promotion: { project_id: project, id, target_env, version }, mayApprove, no }: WordProps) {
  const [comment, setComment] = useState("");
  const announce = useAnnounce();
  const queries = useQueryClient();
  const word = { id, project_id: project, ...(comment.trim() !== "" && { comment: comment.trim() }) };
  const decide = useAction({
    mutationFn: async (approve: boolean) => {
      if (!approve) return (await api.rejectPromotion(word)).status;
      return (await api.approvePromotion(word)).status;
    },
    onSuccess: async (status) => {
      announce(
        status === "rejected"
          ? `${version} does not go to ${target_env}.`
          : status === "pending_approval"
            ? `You approved ${version}. It still waits.`
            : `${version} was promoted to ${target_env}.`,
      );
      focusTitle();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
    // It may be that somebody else was quicker, or that what was agreed to is no more: then that is shown.
    onError: () => void queries.invalidateQueries({ queryKey: ["project", project] }),
  });
  return (
    <Panel title="Your word">
      <Field label="Comment (may be left out)">
        {(control) => (
          <textarea {...control} rows={2} maxLength={2_000} value={comment} onChange={({ target }) => setComment(target.value)} />
        )}
      </Field>
      {decide.isError && <Failure error={decide.error} what="record your word" />}
      <div className="row">
        {mayApprove && (
          <Button look="primary" busy={decide.isPending && decide.variables} onClick={() => decide.act(true)}>
            Approve {version} for {target_env}
          </Button>
        )}
        <Button busy={decide.isPending && !decide.variables} onClick={() => decide.act(false)}>
          {no}
        </Button>
      </div>
    </Panel>
  );
}
