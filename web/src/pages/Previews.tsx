import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useParams, useSearchParams } from "react-router";
import { api, type Environment } from "../api.ts";
import { Button } from "../components/Button.tsx";
import { Field } from "../components/Field.tsx";
import { Page } from "../components/Page.tsx";
import { ReasonDialog } from "../components/ReasonDialog.tsx";
import { currentQuery, SearchField } from "../components/SearchField.tsx";
import { Empty, Failure, Loading } from "../components/States.tsx";
import { CreatePreview } from "../previews/CreatePreview.tsx";
import { ExtendPreview } from "../previews/ExtendPreview.tsx";
import { PreviewTable } from "../previews/PreviewTable.tsx";
import { previewsQuery } from "../queries.ts";
import { mayChange, SOME, useMay } from "../rights.ts";
import { useCalm } from "../useRead.ts";
import styles from "./Configuration.module.css";

type Status = Environment["status"];

/** Temporary copies: whose, of what, until when. However many there are, a screenful is in the page. */
export default function Previews() {
  const { project = "" } = useParams();
  const [query, setQuery] = useSearchParams();
  const [dialog, setDialog] = useState<{ readonly kind: "create" } | { readonly kind: "extend" | "restore"; readonly env: string } | null>(
    null,
  );
  const may = useMay(project);
  const search = query.get("search") ?? "";
  const status = (query.get("status") ?? "active") as Status | "all";
  const wanted = previewsQuery(project, status === "all" ? undefined : status, search);
  const previews = useInfiniteQuery(wanted);
  const read = useCalm(wanted.queryKey, previews);
  const rows = previews.data?.pages.flatMap(({ items }) => items) ?? [];
  const total = previews.data?.pages[0]?.total ?? rows.length;
  const change = (name: string, value: string) => {
    const next = currentQuery();
    value === "" ? next.delete(name) : next.set(name, value);
    setQuery(next, { replace: true });
  };
  return (
    <Page
      title="Previews"
      lead="Temporary copies of an environment, to try something out. Each ends by itself."
      actions={
        may("edit", SOME) && (
          <Button look="primary" onClick={() => setDialog({ kind: "create" })}>
            New preview …
          </Button>
        )
      }
    >
      <div className={styles.filters}>
        <SearchField label="Find a preview" value={search} onChange={(value) => change("search", value)} />
        <Field label="Show">
          {(control) => (
            <select {...control} value={status} onChange={({ target }) => change("status", target.value === "active" ? "" : target.value)}>
              <option value="active">Running</option>
              <option value="expired">Expired</option>
              <option value="archived">Archived</option>
              <option value="all">All</option>
            </select>
          )}
        </Field>
      </div>
      {read.isPending && <Loading what="the previews" />}
      {read.isError && <Failure error={read.error} what="load the previews" onRetry={() => void read.refetch()} />}
      {read.isSuccess && rows.length === 0 && (
        <Empty title={search === "" ? "There are none" : `None is called “${search}”`}>
          {search === ""
            ? "A preview is a copy of an environment with an end: for a pull request, a demo, or a test."
            : "A part of the name is enough."}
        </Empty>
      )}
      {rows.length > 0 && (
        <PreviewTable
          rows={rows}
          total={total}
          isOurs={(row) => mayChange(may, row)}
          onMore={() => previews.hasNextPage && !previews.isFetchingNextPage && void previews.fetchNextPage()}
          onExtend={(env) => setDialog({ kind: "extend", env })}
          onRestore={(env) => setDialog({ kind: "restore", env })}
        />
      )}
      {dialog?.kind === "create" && <CreatePreview project={project} onClose={() => setDialog(null)} />}
      {dialog?.kind === "extend" && (
        <ExtendPreview
          project={project}
          env={dialog.env}
          expiresAt={rows.find(({ env }) => env === dialog.env)?.expires_at ?? null}
          onClose={() => setDialog(null)}
        />
      )}
      {dialog?.kind === "restore" && (
        <ReasonDialog
          title={`Bring ${dialog.env} back`}
          project={project}
          act={(reason) => api.restoreEnvironment({ project_id: project, env: dialog.env, reason })}
          done={`${dialog.env} is back.`}
          onClose={() => setDialog(null)}
        />
      )}
    </Page>
  );
}
