import { useQueries } from "@tanstack/react-query";
import { useState } from "react";
import { useParams, useSearchParams } from "react-router";
import type { Config, Environment } from "../api.ts";
import { Button } from "../components/Button.tsx";
import { Page } from "../components/Page.tsx";
import { currentQuery, SearchField } from "../components/SearchField.tsx";
import { Empty, Failure, Loading } from "../components/States.tsx";
import { Edit } from "../config/Edit.tsx";
import { boundIn, type Key, keysOf, Matrix, type Place } from "../config/Matrix.tsx";
import { NewKey } from "../config/NewKey.tsx";
import { originsOf } from "../config/origins.ts";
import { PasteEnv } from "../config/PasteEnv.tsx";
import { useEnvironments } from "../policy.ts";
import { configQuery, revisionsQuery } from "../queries.ts";
import { mayChange, useMay } from "../rights.ts";
import styles from "./Configuration.module.css";

/** Environments shown beside one another where nobody chose. */
const SHOWN = 4;
/** Environments offered at a time. */
const OFFERED = 100;
/** Environments of which one is found without looking for it. */
const FEW = 12;

/** Every key, and what it is in each environment. */
export default function Configuration() {
  const { project = "" } = useParams();
  const [query, setQuery] = useSearchParams();
  const [editing, setEditing] = useState<{ readonly key: Key; readonly env: string } | null>(null);
  const [dialog, setDialog] = useState<"new" | "paste" | null>(null);
  const { environments, active } = useEnvironments(project, query.getAll("env"));
  const may = useMay(project);
  const ours = active.filter((environment) => mayChange(may, environment));
  const shown = environments.isSuccess ? shownOf(active, query.getAll("env")) : [];
  const configs = useQueries({ queries: shown.map(({ env }) => configQuery(project, env)) });
  const revisions = useQueries({ queries: shown.map(({ env }) => revisionsQuery(project, env, 100)) });
  const failed = configs.find(({ isError }) => isError);
  const columns = shown.flatMap((environment, index) => {
    const config = configs[index]?.data;
    const known = revisions[index]?.data?.items;
    return config === undefined ? [] : [{ environment, config, origins: known === undefined ? null : originsOf(known) }];
  });
  const search = query.get("search") ?? "";
  const isPartial = query.get("differences") === "1";
  const keys = keysOf(columns).filter((key) => matches(key, search) && !(isPartial && isSameEverywhere(key, columns)));
  const change = (name: string, value: string) => {
    const next = currentQuery();
    value === "" ? next.delete(name) : next.set(name, value);
    setQuery(next, { replace: true });
  };
  return (
    <Page
      title="Configuration"
      lead="Values, passwords and feature flags. They belong to their environment, and no promotion carries them."
      actions={
        (environments.isPending || ours.length > 0) && (
          <>
            <Button onClick={() => setDialog("paste")} disabled={ours.length === 0}>
              Paste a .env file …
            </Button>
            <Button look="primary" onClick={() => setDialog("new")} disabled={ours.length === 0}>
              New key …
            </Button>
          </>
        )
      }
    >
      {environments.isPending && <Loading what="the environments" />}
      {environments.isError && (
        <Failure error={environments.error} what="load the environments" onRetry={() => void environments.refetch()} />
      )}
      {failed?.isError && <Failure error={failed.error} what="load all of the configuration" onRetry={() => void failed.refetch()} />}
      {columns.length < shown.length && failed === undefined && <Loading what="the configuration" />}
      {active.length > 0 && (
        <div className={styles.filters}>
          <SearchField label="Find a key" value={search} onChange={(value) => change("search", value)} />
          <label className="check">
            <input type="checkbox" checked={isPartial} onChange={({ target }) => change("differences", target.checked ? "1" : "")} />
            Only what is missing or different
          </label>
          <Columns all={active} shown={shown} onChange={(envs) => setQuery(withEnvironments(query, envs), { replace: true })} />
        </div>
      )}
      {columns.length > 0 && keys.length > 0 && <Matrix keys={keys} columns={columns} onEdit={(key, env) => setEditing({ key, env })} />}
      {columns.length === shown.length && shown.length > 0 && keys.length === 0 && (
        <Empty title={search === "" && !isPartial ? "Nothing is configured yet" : "No key is like that"}>
          {search === "" && !isPartial ? "Add a key, or paste a .env file." : "Show all of them by clearing the filters."}
        </Empty>
      )}
      {environments.isSuccess && active.length === 0 && (
        <Empty title="There is no environment here that you may see">Create one first.</Empty>
      )}
      {editing !== null && <Editing editing={editing} columns={columns} onClose={() => setEditing(null)} />}
      {dialog === "new" && (
        <NewKey
          environments={shown.filter((environment) => ours.includes(environment))}
          onClose={() => setDialog(null)}
          onChosen={(key, env) => {
            setDialog(null);
            setEditing({ key, env });
          }}
        />
      )}
      {dialog === "paste" && <PasteEnv project={project} environments={ours} onClose={() => setDialog(null)} />}
    </Page>
  );
}

interface EditingProps {
  readonly editing: { readonly key: Key; readonly env: string };
  readonly columns: readonly Place[];
  readonly onClose: () => void;
}

function Editing({ editing: { key, env }, columns, onClose }: EditingProps) {
  const place = columns.find(({ environment }) => environment.env === env);
  return place === undefined ? null : <Edit of={key} place={place} onClose={onClose} />;
}

interface ColumnsProps {
  readonly all: readonly Environment[];
  readonly shown: readonly Environment[];
  readonly onChange: (envs: readonly string[]) => void;
}

/** Which environments stand beside one another. */
function Columns({ all, shown, onChange }: ColumnsProps) {
  const [search, setSearch] = useState("");
  if (all.length <= 1) return null;
  const names = shown.map(({ env }) => env);
  const found = all.filter(({ env }) => env.includes(search.toLowerCase()));
  return (
    <details className={styles.columns}>
      <summary>
        {shown.length} of {all.length} environments
      </summary>
      {all.length > FEW && <SearchField label="Find an environment" value={search} onChange={setSearch} />}
      <fieldset className={styles.choices}>
        <legend className="visually-hidden">Environments shown</legend>
        {found.slice(0, OFFERED).map(({ env }) => (
          <label key={env} className="check">
            <input
              type="checkbox"
              checked={names.includes(env)}
              onChange={({ target }) => onChange(target.checked ? [...names, env] : names.filter((name) => name !== env))}
            />
            {env}
          </label>
        ))}
      </fieldset>
      {found.length === 0 && <p>No environment is called “{search}”.</p>}
      {found.length > OFFERED && <p>{found.length - OFFERED} more: search for them.</p>}
    </details>
  );
}

function shownOf(active: readonly Environment[], chosen: readonly string[]): readonly Environment[] {
  const wanted = active.filter(({ env }) => chosen.includes(env));
  return wanted.length > 0 ? wanted : active.slice(0, SHOWN);
}

function withEnvironments(query: URLSearchParams, envs: readonly string[]): URLSearchParams {
  const next = new URLSearchParams(query);
  next.delete("env");
  for (const env of envs) next.append("env", env);
  return next;
}

function matches({ name }: Key, search: string): boolean {
  return name.toLowerCase().includes(search.toLowerCase());
}

/** Whether all environments have it, and the same. Of secrets only whether they are set is known. */
function isSameEverywhere(key: Key, columns: readonly { readonly config: Config }[]): boolean {
  const values = columns.map(({ config }) => JSON.stringify(boundIn(config, key)));
  return values.every((value) => value !== undefined && value === values[0]);
}
