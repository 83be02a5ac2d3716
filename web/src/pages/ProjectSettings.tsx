import { useParams } from "react-router";
import { Page } from "../components/Page.tsx";
import { Panel } from "../components/Panel.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { inOrder } from "../policy.ts";
import { environmentsQuery, policyQuery } from "../queries.ts";
import { EVERY, useMay } from "../rights.ts";
import { PolicyForm } from "../settings/PolicyForm.tsx";
import { Sinks } from "../settings/Sinks.tsx";
import { Webhooks } from "../settings/Webhooks.tsx";
import { useRead } from "../useRead.ts";

/** What a project demands, whom it tells, and how that goes. */
export default function ProjectSettings() {
  const { project = "" } = useParams();
  const policy = useRead(policyQuery(project));
  const environments = useRead(environmentsQuery(project));
  const isOurs = useMay(project)("administer", EVERY);
  return (
    <Page title="Settings" lead="What is asked before something is promoted, and who is told of what happens.">
      <Panel title="Policy">
        {policy.isPending && <Loading what="the policy" />}
        {policy.isError && <Failure error={policy.error} what="load the policy" onRetry={() => void policy.refetch()} />}
        {policy.isSuccess && (
          <PolicyForm
            project={project}
            current={policy.data}
            environments={inOrder(environments.data?.items ?? [], policy.data.policy).filter(({ status }) => status === "active")}
            isOurs={isOurs}
          />
        )}
      </Panel>
      {isOurs && <Webhooks project={project} />}
      <Sinks project={project} />
    </Page>
  );
}
