import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api, type Environment, type PromoteReply } from "../api.ts";

type PromoteRequest = Parameters<typeof api.promote>[0];

/** What somebody decides about a promotion beside its two ends. */
interface Decisions {
  readonly strategy: "replace" | "merge" | null;
  /** Of a merge: whose side each conflict takes, by component. */
  readonly resolve: Readonly<Record<string, "ours" | "theirs">>;
  /** Values for the target, by `vars/NAME` or `secrets/NAME`. */
  readonly values: Readonly<Record<string, string>>;
}

const UNDECIDED: Decisions = { strategy: null, resolve: {}, values: {} };

interface Ends {
  readonly source: Environment;
  readonly target: Environment;
  readonly version: string | null;
  readonly only: readonly string[];
}

/** The request that a plan is made for and that, with the plan's id, applies it. */
function requestOf({ source, target, version, only }: Ends, { strategy, resolve, values }: Decisions): PromoteRequest {
  const env_variables = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key.slice(key.indexOf("/") + 1), { value, secret: key.startsWith("secrets/") }]),
  );
  return {
    project_id: source.project_id,
    source_env: source.env,
    target_env: target.env,
    ...(version !== null && { version }),
    ...(only.length > 0 && { only }),
    ...(strategy !== null && { strategy }),
    ...(Object.keys(resolve).length > 0 && { resolve }),
    ...(Object.keys(env_variables).length > 0 && { env_variables }),
  };
}

export interface Planned {
  readonly plan: PromoteReply | undefined;
  readonly error: unknown;
  readonly isFetching: boolean;
  readonly decisions: Decisions;
  /** The very request of the plan that is shown. */
  readonly request: PromoteRequest;
  decide(change: Partial<Decisions>): void;
  again(): void;
}

/** A dry run, made anew whenever a decision or either side changes. Values stay out of every cache: only that they changed is kept. */
export function usePlan(ends: Ends): Planned {
  const [{ decisions, count }, setState] = useState({ decisions: UNDECIDED, count: 0 });
  const { source, target, version, only } = ends;
  const request = useMemo(() => requestOf({ source, target, version, only }, decisions), [source, target, version, only, decisions]);
  const query = useQuery({
    queryKey: ["project", source.project_id, "plan", source.env, target.env, version, only, count],
    queryFn: ({ signal }) => api.promote({ ...request, dry_run: true }, { signal }),
    placeholderData: (before) => before,
    // The name tells of no values: another visit's plan with as many decisions is another plan.
    gcTime: 0,
  });
  // A decision of which no plan can be made takes nothing away: the plan before it stays, and with it the form of the decision.
  const [last, setLast] = useState<PromoteReply>();
  if (query.data !== undefined && query.data !== last) setLast(query.data);
  return {
    plan: query.data ?? last,
    error: query.error,
    isFetching: query.isFetching,
    decisions,
    request,
    decide: (change) => setState((before) => ({ decisions: { ...before.decisions, ...change }, count: before.count + 1 })),
    again: () => void query.refetch(),
  };
}
