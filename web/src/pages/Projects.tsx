import { useQueries } from "@tanstack/react-query";
import { lazy, Suspense, useMemo, useState } from "react";
import { Link, useSearchParams } from "react-router";
import type { Environment, ProjectEntry } from "../api.ts";
import { Badge } from "../components/Badge.tsx";
import { Button } from "../components/Button.tsx";
import { Page } from "../components/Page.tsx";
import { SearchField } from "../components/SearchField.tsx";
import { Empty, Failure, Loading } from "../components/States.tsx";
import { Table } from "../components/Table.tsx";
import { Ago } from "../components/Time.tsx";
import { environmentsQuery, previewCountQuery, projectsQuery, waitingQuery } from "../queries.ts";
import { SOME, useMay } from "../rights.ts";
import { useRead } from "../useRead.ts";
import { plural, worstOf } from "../words.ts";
import styles from "./Projects.module.css";

// The first page is there without it.
const CreateEnvironment = lazy(async () => ({ default: (await import("../environments/CreateEnvironment.tsx")).CreateEnvironment }));

/** Projects shown at a time: each one's environments are asked for. */
const SHOWN = 25;

/** All projects: what production runs, where something is wrong, and who waits. */
export default function Projects() {
  const projects = useRead(projectsQuery);
  const [query, setQuery] = useSearchParams();
  const search = query.get("search") ?? "";
  const found = useMemo(
    () => (projects.data?.items ?? []).filter(({ project_id }) => project_id.toLowerCase().includes(search.toLowerCase())),
    [projects.data, search],
  );
  const [isCreating, setCreating] = useState(false);
  const mayCreate = useMay(SOME)("edit", SOME);
  return (
    <Page title="Projects" actions={mayCreate && <Button onClick={() => setCreating(true)}>New project …</Button>}>
      {projects.isPending && <Loading what="the projects" />}
      {projects.isError && <Failure error={projects.error} what="load the projects" onRetry={() => void projects.refetch()} />}
      {projects.data?.items.length === 0 && <NoProjects mayCreate={mayCreate} />}
      {(projects.data?.items.length ?? 0) > SHOWN && (
        <SearchField
          label="Find a project"
          hint={`${plural(found.length, "project")}${found.length > SHOWN ? `, the first ${SHOWN} shown` : ""}`}
          value={search}
          onChange={(value) => setQuery(value === "" ? {} : { search: value }, { replace: true })}
        />
      )}
      {found.length > 0 && <ProjectTable projects={found.slice(0, SHOWN)} />}
      {projects.data !== undefined && projects.data.items.length > 0 && found.length === 0 && (
        <Empty title={`No project is called “${search}”`}>A part of the name is enough.</Empty>
      )}
      {isCreating && (
        <Suspense>
          <CreateEnvironment project={null} environments={[]} onClose={() => setCreating(false)} />
        </Suspense>
      )}
    </Page>
  );
}

/** `undefined` until it is known, `null` where it could not be read. */
type Known<Value> = Value | undefined | null;

interface Row {
  readonly project: ProjectEntry;
  readonly environments: Known<readonly Environment[]>;
  readonly waiting: Known<number>;
  readonly previews: Known<number>;
}

function ProjectTable({ projects }: { readonly projects: readonly ProjectEntry[] }) {
  const environments = useQueries({ queries: projects.map(({ project_id }) => environmentsQuery(project_id)) });
  const waiting = useQueries({ queries: projects.map(({ project_id }) => waitingQuery(project_id)) });
  const previews = useQueries({ queries: projects.map(({ project_id }) => previewCountQuery(project_id)) });
  const rows: readonly Row[] = projects.map((project, index) => ({
    project,
    environments: environments[index]?.data?.items ?? unknown(environments[index]),
    waiting: waiting[index]?.data?.items.length ?? unknown(waiting[index]),
    previews: previews[index]?.data?.total ?? unknown(previews[index]),
  }));
  return (
    <div className={styles.card}>
      <Table
        caption="Projects"
        rows={rows}
        keyOf={({ project }) => project.project_id}
        columns={[
          { title: "Project", cell: ({ project }) => <ProjectLink id={project.project_id} /> },
          { title: "In production", cell: ({ environments: all }) => <InProduction environments={all} /> },
          { title: "Needs attention", cell: ({ environments: all }) => <Attention environments={all} /> },
          { title: "Approvals", cell: (row) => <Waiting {...row} /> },
          { title: "Previews", numeric: true, cell: (row) => row.previews ?? <Unknown value={row.previews} /> },
        ]}
      />
    </div>
  );
}

function unknown(read: { readonly isError: boolean } | undefined): undefined | null {
  return read?.isError ? null : undefined;
}

function Unknown({ value }: { readonly value: undefined | null }) {
  return value === null ? <span className={styles.soft}>Not known: it could not be read</span> : "…";
}

function ProjectLink({ id }: { readonly id: string }) {
  return (
    <Link to={`/projects/${id}`} className={styles.name}>
      {id}
    </Link>
  );
}

function InProduction({ environments }: Pick<Row, "environments">) {
  if (environments == null) return <Unknown value={environments} />;
  const production = environments.find(({ type, status }) => type === "production" && status === "active");
  if (production === undefined) return <span className={styles.soft}>No production yet</span>;
  return (
    <>
      <strong>{production.version}</strong>{" "}
      <span className={styles.soft}>
        since <Ago at={production.updated_at} />
      </span>
    </>
  );
}

function Attention({ environments }: Pick<Row, "environments">) {
  if (environments == null) return <Unknown value={environments} />;
  const worst = worstOf(environments);
  if (worst === null) return <span className={styles.soft}>No environments</span>;
  if (worst.tone === "good" || worst.tone === "plain" || worst.tone === "info") return <Badge tone="good">Nothing</Badge>;
  return (
    <Badge tone={worst.tone}>
      {worst.env}: {worst.text}
    </Badge>
  );
}

function Waiting({ project, waiting }: Row) {
  if (waiting == null) return <Unknown value={waiting} />;
  if (waiting === 0) return <span className={styles.soft}>None</span>;
  return <Link to={`/projects/${project.project_id}/promotions`}>{waiting} waiting</Link>;
}

function NoProjects({ mayCreate }: { readonly mayCreate: boolean }) {
  return (
    <Empty title="There are no projects yet, or none that your token may see">
      {mayCreate ? "A project begins with its first environment." : "Ask an administrator for access."}
    </Empty>
  );
}
