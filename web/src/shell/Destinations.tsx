import { Autocomplete } from "@base-ui/react/autocomplete";
import { useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { useNavigate, useParams } from "react-router";
import type { Environment } from "../api.ts";
import { environmentsQuery, projectsQuery } from "../queries.ts";
import { type May, mayChange, SOME, useMay } from "../rights.ts";
import styles from "./Palette.module.css";
import { PROJECT_PAGES } from "./pages.ts";

interface Destination {
  readonly label: string;
  readonly to: string;
}

/** Every page, found by its name. */
export default function Destinations({ onChosen }: { readonly onChosen: () => void }) {
  const navigate = useNavigate();
  const items = useDestinations();
  return (
    <Autocomplete.Root items={items} itemToStringValue={({ label }: Destination) => label} open inline autoHighlight="always">
      <Autocomplete.Input className={styles.input} aria-label="Page, environment or project" placeholder="Type a name" autoFocus />
      <Autocomplete.Empty className={styles.empty}>Nothing is called that.</Autocomplete.Empty>
      <Autocomplete.List className={styles.list} aria-label="Pages">
        {(item: Destination) => (
          <Autocomplete.Item
            key={item.to}
            value={item}
            className={styles.item}
            onClick={() => {
              onChosen();
              void navigate(item.to);
            }}
          >
            {item.label}
          </Autocomplete.Item>
        )}
      </Autocomplete.List>
    </Autocomplete.Root>
  );
}

/** What is known by now: the palette is there to be quick, so it asks nobody. */
function useDestinations(): readonly Destination[] {
  const { project } = useParams();
  const queries = useQueryClient();
  const may = useMay(project ?? SOME);
  return useMemo(() => {
    const projects = queries.getQueryData(projectsQuery.queryKey)?.items ?? [];
    const environments = project === undefined ? [] : (queries.getQueryData(environmentsQuery(project).queryKey)?.items ?? []);
    return [
      ...(project === undefined ? [] : pagesOf(project, environments, may)),
      { label: "All projects", to: "/" },
      { label: "Engine and access", to: "/settings" },
      ...projects.map(({ project_id }) => ({ label: `Project ${project_id}`, to: `/projects/${project_id}` })),
    ];
  }, [project, queries, may]);
}

function pagesOf(project: string, environments: readonly Environment[], may: May): Destination[] {
  const base = `/projects/${project}`;
  return [
    ...PROJECT_PAGES.map(({ path, name }) => ({ label: name, to: path === "" ? base : `${base}/${path}` })),
    ...environments.flatMap((environment) => {
      const { env, status } = environment;
      const isOurs = status === "active" && mayChange(may, environment);
      return [
        { label: `Environment ${env}`, to: `${base}/env/${env}` },
        ...(may("promote", SOME) ? [{ label: `Promote from ${env}`, to: `${base}/promote?from=${env}` }] : []),
        ...(isOurs ? [{ label: `Roll back ${env}`, to: `${base}/env/${env}/rollback` }] : []),
      ];
    }),
  ];
}
