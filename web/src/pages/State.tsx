import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { isObject } from "../../../src/json.ts";
import { api, type Environment } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Button, LinkButton } from "../components/Button.tsx";
import { Dialog, DialogActions } from "../components/Dialog.tsx";
import { Field } from "../components/Field.tsx";
import { Page } from "../components/Page.tsx";
import { Panel } from "../components/Panel.tsx";
import { Scroll } from "../components/Scroll.tsx";
import { currentQuery, SearchField } from "../components/SearchField.tsx";
import { Empty, Failure, Loading } from "../components/States.tsx";
import { TextDiff, textOf } from "../components/TextDiff.tsx";
import { readJsonFile } from "../json.ts";
import { useEnvironments } from "../policy.ts";
import { componentQuery, stateQuery } from "../queries.ts";
import { useMay } from "../rights.ts";
import { useAction } from "../useAction.ts";
import { useRead } from "../useRead.ts";
import { plural } from "../words.ts";
import styles from "./State.module.css";

/** Names shown of one collection before somebody searches or asks for all. */
const FIRST = 200;

/** What the platform consists of: collections and components, and each of them as JSON, now and at any revision. */
export default function State() {
  const { project = "" } = useParams();
  const [query, setQuery] = useSearchParams();
  const { environments, active } = useEnvironments(project, query.getAll("env"));
  const env = query.get("env") ?? active[0]?.env ?? "";
  const environment = active.find((each) => each.env === env);
  const change = (part: Readonly<Record<string, string | null>>) => {
    const next = currentQuery();
    for (const [name, value] of Object.entries(part)) value === null || value === "" ? next.delete(name) : next.set(name, value);
    setQuery(next, { replace: true });
  };
  return (
    <Page title="Platform" lead="The components that make up the product, as they are in one environment.">
      {environments.isPending && <Loading what="the environments" />}
      {environments.isError && (
        <Failure error={environments.error} what="load the environments" onRetry={() => void environments.refetch()} />
      )}
      {environments.isSuccess && environment === undefined && (
        <Empty title="There is no such environment, or none that you may see">Choose a project that has one.</Empty>
      )}
      {environment !== undefined && (
        <>
          <div className={styles.filters}>
            <Field label="Environment">
              {(control) => (
                <select {...control} value={env} onChange={({ target }) => change({ env: target.value, component: null })}>
                  {active.map((each) => (
                    <option key={each.env} value={each.env}>
                      {each.env}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <SearchField label="Find a component" value={query.get("search") ?? ""} onChange={(search) => change({ search })} />
            <Transfer key={env} environment={environment} />
          </div>
          <Components
            environment={environment}
            search={query.get("search") ?? ""}
            chosen={query.get("component")}
            onChoose={(component) => change({ component })}
          />
          {query.get("component") !== null && (
            <Component
              key={`${env}/${query.get("component")}`}
              environment={environment}
              name={query.get("component") ?? ""}
              at={query.get("against")}
              onAgainst={(against) => change({ against })}
            />
          )}
        </>
      )}
    </Page>
  );
}

interface ComponentsProps {
  readonly environment: Environment;
  readonly search: string;
  readonly chosen: string | null;
  readonly onChoose: (component: string) => void;
}

function Components({ environment: { project_id: project, env }, search, chosen, onChoose }: ComponentsProps) {
  const state = useRead(stateQuery(project, env));
  const collections = useMemo(() => {
    const wanted = search.toLowerCase();
    return Object.entries(state.data?.state ?? {})
      .map(([collection, components]) => ({
        collection,
        names: Object.keys(components).filter((name) => `${collection}/${name}`.toLowerCase().includes(wanted)),
      }))
      .filter(({ names }) => names.length > 0);
  }, [state.data, search]);
  if (state.isPending) return <Loading what="the components" />;
  if (state.isError) return <Failure error={state.error} what="load the platform" onRetry={() => void state.refetch()} />;
  if (collections.length === 0) {
    return search === "" ? (
      <Empty title="The platform is empty here">Promote a version to this environment, or upload a state.</Empty>
    ) : (
      <Empty title={`No component is called “${search}”`}>A part of the name is enough.</Empty>
    );
  }
  return (
    <Panel
      title={plural(
        collections.reduce((sum, { names }) => sum + names.length, 0),
        "component",
      )}
    >
      {collections.map(({ collection, names }) => (
        <details key={collection} open={search !== "" || collections.length === 1 || chosen?.startsWith(`${collection}/`)}>
          <summary className={styles.collection}>
            {collection} <span className={styles.soft}>{names.length}</span>
          </summary>
          <ul className={styles.names}>
            {names.slice(0, FIRST).map((name) => (
              <li key={name}>
                <button
                  type="button"
                  className={styles.name}
                  aria-pressed={chosen === `${collection}/${name}`}
                  onClick={() => onChoose(`${collection}/${name}`)}
                >
                  {name}
                </button>
              </li>
            ))}
          </ul>
          {names.length > FIRST && <p className={styles.soft}>{names.length - FIRST} more: search for them.</p>}
        </details>
      ))}
    </Panel>
  );
}

interface ComponentProps {
  readonly environment: Environment;
  readonly name: string;
  readonly at: string | null;
  readonly onAgainst: (revision: string | null) => void;
}

function Component({ environment: { project_id: project, env, revision }, name, at, onAgainst }: ComponentProps) {
  const against = at !== null && /^\d+$/.test(at) ? Number(at) : null;
  const now = useRead(componentQuery(project, env, name, revision));
  const then = useRead({ ...componentQuery(project, env, name, against ?? revision), enabled: against !== null });
  return (
    <Panel
      title={name}
      actions={
        <LinkButton small to={`/projects/${project}/history?env=${env}`}>
          History
        </LinkButton>
      }
    >
      <Field label="Compare with revision" hint={`Now it is revision ${revision}. Leave it empty to see the component alone.`}>
        {(control) => (
          <input
            {...control}
            inputMode="numeric"
            pattern="[0-9]*"
            value={at ?? ""}
            onChange={({ target }) => onAgainst(target.value.replace(/\D/g, ""))}
          />
        )}
      </Field>
      {now.isError && <Failure error={now.error} what={`load ${name}`} onRetry={() => void now.refetch()} />}
      {then.isError && <Failure error={then.error} what={`load ${name} of revision ${against}`} onRetry={() => void then.refetch()} />}
      {now.isPending && <Loading what={name} />}
      {now.isSuccess && now.data === undefined && <p>It does not exist any more in revision {revision}.</p>}
      {now.isSuccess && against === null && now.data !== undefined && <Text title={name} value={now.data} />}
      {now.isSuccess && against !== null && then.isSuccess && <TextDiff title={name} before={then.data} after={now.data} />}
    </Panel>
  );
}

function Text({ title, value }: { readonly title: string; readonly value: unknown }) {
  return (
    <Scroll label={title} className={styles.text}>
      <pre>{textOf(value)}</pre>
    </Scroll>
  );
}

/** The whole state as a file, and a file as the whole state. */
function Transfer({ environment }: { readonly environment: Environment }) {
  const { project_id: project, env, version, protected: isProtected } = environment;
  const mayEdit = useMay(project)("edit", env);
  const [upload, setUpload] = useState<ReadFile | null>(null);
  const download = useAction({
    mutationFn: async () => {
      const { state } = await api.getState({ project, env });
      save(`${project}-${env}-${version}.json`, JSON.stringify(state, null, 2));
    },
  });
  return (
    <div className="row">
      <Button busy={download.isPending} onClick={() => download.act()}>
        Download
      </Button>
      {isProtected ? (
        <span className={styles.soft}>
          Protected: it changes by promotion alone. <Link to={`/projects/${project}/settings`}>Policy</Link>
        </span>
      ) : (
        mayEdit && (
          <label className={styles.upload}>
            Upload …
            <input
              type="file"
              accept="application/json,.json"
              className="visually-hidden"
              onChange={async ({ target }) => {
                const file = target.files?.[0];
                if (file !== undefined) setUpload({ name: file.name, ...readState(new Uint8Array(await file.arrayBuffer())) });
                target.value = "";
              }}
            />
          </label>
        )
      )}
      {download.isError && <Failure error={download.error} what="download the state" />}
      {upload !== null && <Upload environment={environment} file={upload} onClose={() => setUpload(null)} />}
    </div>
  );
}

interface UploadProps {
  readonly environment: Environment;
  readonly file: ReadFile;
  readonly onClose: () => void;
}

type StateOf = Parameters<typeof api.replaceState>[0]["state"];

interface ReadFile {
  readonly name: string;
  /** `null` where the file holds none. */
  readonly state: StateOf | null;
  /** What is wrong with its JSON, where it is that. */
  readonly fault: string | null;
}

/** Says what the file would make of the environment, before it does. */
function Upload({ environment: { project_id: project, env }, file: { name, state: read, fault }, onClose }: UploadProps) {
  const current = useRead(stateQuery(project, env));
  const announce = useAnnounce();
  const queries = useQueryClient();
  const replace = useAction({
    mutationFn: ({ state, tag }: { readonly state: StateOf; readonly tag: string | null }) =>
      api.replaceState({ project, env, state, message: `Uploaded ${name}`, ifMatch: tag ?? undefined }),
    onSuccess: async ({ version }) => {
      announce(`${env} is ${version} now.`);
      onClose();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
    // It may be that somebody else was quicker: then it is counted against theirs, before it is sent again.
    onError: () => void queries.invalidateQueries(stateQuery(project, env)),
  });
  const counts = read === null || current.data === undefined ? null : countsOf(current.data.state, read);
  return (
    <Dialog title={`Upload ${name} to ${env}`} onClose={onClose}>
      {current.isPending && <Loading what="what is there now" />}
      {current.isError && <Failure error={current.error} what="load what is there now" onRetry={() => void current.refetch()} />}
      {read === null && (
        <p role="alert">
          {fault === null
            ? "This is no platform state: a JSON object of collections, each an object of components by name."
            : `This is no JSON that can be kept: ${fault}`}
        </p>
      )}
      {counts !== null && (
        <>
          <p>
            The file takes the place of everything in {env}: {plural(counts.added, "component")} new, {counts.changed} changed,{" "}
            {counts.removed} removed.
          </p>
          {counts.removed > 0 && <p>What is not in the file is removed. The history keeps it, and a rollback brings it back.</p>}
        </>
      )}
      {replace.isError && <Failure error={replace.error} what="upload the state" />}
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          look="primary"
          busy={replace.isPending}
          disabled={counts === null}
          onClick={() => read !== null && current.data !== undefined && replace.act({ state: read, tag: current.data.etag })}
        >
          Replace the state of {env}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

function readState(bytes: Uint8Array<ArrayBuffer>): Pick<ReadFile, "state" | "fault"> {
  const { value, fault } = readJsonFile(bytes);
  return { state: isObject(value) && Object.values(value).every(isObject) ? (value as StateOf) : null, fault };
}

/** An object's members in one order: what is written in another is the same. */
function ordered(_name: string, value: unknown): unknown {
  return isObject(value) ? Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1))) : value;
}

export function countsOf(before: StateOf, after: StateOf): { readonly added: number; readonly changed: number; readonly removed: number } {
  const flat = (state: StateOf) =>
    new Map(
      Object.entries(state).flatMap(([collection, each]) =>
        Object.entries(each ?? {}).map(([name, value]) => [`${collection}/${name}`, JSON.stringify(value, ordered)]),
      ),
    );
  const [old, next] = [flat(before), flat(after)];
  const kept = [...next].filter(([name]) => old.has(name));
  return {
    added: next.size - kept.length,
    changed: kept.filter(([name, value]) => old.get(name) !== value).length,
    removed: old.size - kept.length,
  };
}

/** Hands a text to the browser as a file. */
export function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
