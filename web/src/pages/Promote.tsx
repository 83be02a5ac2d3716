import { Link, useParams, useSearchParams } from "react-router";
import type { Environment } from "../api.ts";
import { Notice } from "../components/Notice.tsx";
import { Page } from "../components/Page.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { pipelineOf, useEnvironments } from "../policy.ts";
import { Choice } from "../promote/Choice.tsx";
import { Review } from "../promote/Review.tsx";
import { policyQuery } from "../queries.ts";
import { useRead } from "../useRead.ts";

/** From where, to where and what; then what that would do, what is in the way, and the one button that does it. */
export default function Promote() {
  const { project = "" } = useParams();
  const [query, setQuery] = useSearchParams();
  const policy = useRead(policyQuery(project));
  const from = query.get("from") ?? "";
  const to = query.get("to") ?? nextOf(from, pipelineOf(policy.data?.policy));
  const { environments, active } = useEnvironments(project, [from, to]);
  const version = query.get("version");
  const source = active.find(({ env }) => env === from);
  const target = active.find(({ env }) => env === to);
  const choose = (change: Readonly<Record<string, string>>) => {
    const next = new URLSearchParams(query);
    for (const [name, value] of Object.entries(change)) value === "" ? next.delete(name) : next.set(name, value);
    setQuery(next, { replace: true });
  };
  return (
    <Page
      title="Promote"
      eyebrow={<Link to={`/projects/${project}`}>{project}</Link>}
      lead="Nothing changes before you press the button at the end."
    >
      {environments.isPending && <Loading what="the environments" />}
      {environments.isError && (
        <Failure error={environments.error} what="load the environments" onRetry={() => void environments.refetch()} />
      )}
      {environments.isSuccess && (
        <Choice environments={active} from={from} to={to} version={version} only={query.getAll("only")} onChoose={choose} />
      )}
      {source !== undefined && target !== undefined && source.env !== target.env && (
        <Review
          key={[source.env, target.env, version, ...query.getAll("only")].join("\0")}
          source={source}
          target={target}
          version={version}
          only={query.getAll("only")}
        />
      )}
      {environments.isSuccess && <Unknown from={from} to={to} source={source} target={target} />}
    </Page>
  );
}

interface UnknownProps {
  readonly from: string;
  readonly to: string;
  readonly source: Environment | undefined;
  readonly target: Environment | undefined;
}

/** An address may name what is not there any more. */
function Unknown({ from, to, source, target }: UnknownProps) {
  const missing = [from !== "" && source === undefined ? from : "", to !== "" && target === undefined ? to : ""].filter(Boolean);
  if (missing.length === 0) return null;
  return (
    <Notice tone="info" title={`There is no environment ${missing.join(", and none ")} that takes part`}>
      <p>It may have ended, or your token may not see it. Choose another above.</p>
    </Notice>
  );
}

function nextOf(from: string, pipeline: readonly string[]): string {
  return (pipeline.includes(from) ? pipeline[pipeline.indexOf(from) + 1] : undefined) ?? "";
}
