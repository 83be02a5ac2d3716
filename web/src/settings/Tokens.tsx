import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../api.ts";
import { Badge, type Tone } from "../components/Badge.tsx";
import { Button } from "../components/Button.tsx";
import { ConfirmDialog } from "../components/ConfirmDialog.tsx";
import { Dialog, DialogActions } from "../components/Dialog.tsx";
import { Field } from "../components/Field.tsx";
import { Panel } from "../components/Panel.tsx";
import { SearchField } from "../components/SearchField.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { Table } from "../components/Table.tsx";
import { Ago } from "../components/Time.tsx";
import { tokensQuery } from "../queries.ts";
import { useAction } from "../useAction.ts";
import { useRead } from "../useRead.ts";
import { namesIn, plural } from "../words.ts";
import { ShownOnce } from "./ShownOnce.tsx";

const STATUS: Readonly<Record<string, { readonly tone: Tone; readonly text: string }>> = {
  active: { tone: "good", text: "Valid" },
  expired: { tone: "plain", text: "Expired" },
  revoked: { tone: "bad", text: "Revoked" },
};

const ROLES = [
  { value: "client", text: "Evaluates flags, for applications" },
  { value: "reader", text: "Reads everything but passwords" },
  { value: "editor", text: "Changes what is not protected" },
  { value: "promoter", text: "Promotes, and approves" },
  { value: "engine", text: "Another engine of the family" },
  { value: "admin", text: "Everything, tokens too" },
] as const;

/** Tokens shown before somebody searches. */
const FIRST = 100;

/** Who may get in, with what. Those that are valid come first. */
export function Tokens() {
  const [dialog, setDialog] = useState<
    { readonly kind: "new" } | { readonly kind: "revoke"; readonly id: string; readonly name: string } | null
  >(null);
  const tokens = useRead(tokensQuery);
  const [search, setSearch] = useState("");
  const wanted = search.toLowerCase();
  const found = (tokens.data?.items ?? [])
    .filter(({ name }) => name.toLowerCase().includes(wanted))
    .sort((left, right) => Number(right.status === "active") - Number(left.status === "active") || (left.name < right.name ? -1 : 1));
  return (
    <Panel
      title="Tokens"
      actions={
        <Button small onClick={() => setDialog({ kind: "new" })}>
          New token …
        </Button>
      }
    >
      {tokens.isPending && <Loading what="the tokens" />}
      {tokens.isError && <Failure error={tokens.error} what="load the tokens" onRetry={() => void tokens.refetch()} />}
      {tokens.data?.items.length === 0 && (
        <p>None but the root token. Give everybody one of their own, so that the log can say who did what.</p>
      )}
      {(tokens.data?.items.length ?? 0) > FIRST && (
        <SearchField
          label="Find a token"
          hint={`${plural(found.length, "token")}${found.length > FIRST ? `, the first ${FIRST} shown` : ""}`}
          value={search}
          onChange={setSearch}
        />
      )}
      {found.length > 0 && (
        <Table
          caption="Tokens"
          rows={found.slice(0, FIRST)}
          keyOf={({ id }) => id}
          columns={[
            { title: "Whose", cell: ({ name }) => <strong>{name}</strong> },
            { title: "May", cell: ({ role, rights }) => `${role}${rights.length > 0 ? ", may reveal passwords" : ""}` },
            { title: "Where", cell: ({ projects, envs }) => `${projects.join(", ")} / ${envs.join(", ")}` },
            { title: "Last used", cell: ({ last_used_at }) => (last_used_at === null ? "never" : <Ago at={last_used_at} />) },
            { title: "Ends", cell: ({ expires_at }) => (expires_at === null ? "never" : <Ago at={expires_at} />) },
            {
              title: "Status",
              cell: ({ status }) => <Badge tone={STATUS[status]?.tone ?? "plain"}>{STATUS[status]?.text ?? status}</Badge>,
            },
            {
              title: "Do",
              cell: ({ id, name, status }) =>
                status === "active" && (
                  <Button small onClick={() => setDialog({ kind: "revoke", id, name })} aria-label={`Revoke the token of ${name}`}>
                    Revoke
                  </Button>
                ),
            },
          ]}
        />
      )}
      {dialog?.kind === "new" && <NewToken onClose={() => setDialog(null)} />}
      {dialog?.kind === "revoke" && (
        <ConfirmDialog
          title={`Revoke the token of ${dialog.name}?`}
          verb="Revoke"
          act={() => api.revokeToken({ id: dialog.id })}
          done={`The token of ${dialog.name} was revoked.`}
          changes={["tokens"]}
          onClose={() => setDialog(null)}
        >
          It is refused from now on, everywhere. This cannot be undone; another can be made.
        </ConfirmDialog>
      )}
    </Panel>
  );
}

interface TokenForm {
  readonly name: string;
  readonly role: (typeof ROLES)[number]["value"];
  readonly projects: string;
  readonly envs: string;
  readonly reveals: boolean;
  readonly expires: string;
}

function NewToken({ onClose }: { readonly onClose: () => void }) {
  const [form, setForm] = useState<TokenForm>({ name: "", role: "reader", projects: "*", envs: "*", reveals: false, expires: "90d" });
  const queries = useQueryClient();
  const create = useAction({
    mutationFn: () =>
      api.createToken({
        name: form.name.trim(),
        role: form.role,
        projects: namesIn(form.projects),
        envs: namesIn(form.envs),
        ...(form.reveals && { rights: ["secrets:reveal"] }),
        expires_in: form.expires,
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["tokens"] }),
  });
  const change = (part: Partial<TokenForm>) => setForm({ ...form, ...part });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.act();
  };
  if (create.isSuccess) {
    return (
      <Dialog title={`The token of ${form.name}`} onClose={onClose}>
        <ShownOnce what="Whoever has it can do what it may." secret={create.data.token} />
      </Dialog>
    );
  }
  return (
    <Dialog title="New token" onClose={onClose}>
      <form onSubmit={submit} className="form">
        <Field label="Whose" hint="A person or a program: the log names them so.">
          {(control) => (
            <input {...control} required maxLength={80} value={form.name} onChange={({ target }) => change({ name: target.value })} />
          )}
        </Field>
        <Field label="May">
          {(control) => (
            <select {...control} value={form.role} onChange={({ target }) => change({ role: target.value as TokenForm["role"] })}>
              {ROLES.map(({ value, text }) => (
                <option key={value} value={value}>
                  {value}: {text}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Projects" hint="Names, separated by commas; one * in each stands for any characters.">
          {(control) => <input {...control} required value={form.projects} onChange={({ target }) => change({ projects: target.value })} />}
        </Field>
        <Field label="Environments" hint="The same.">
          {(control) => <input {...control} required value={form.envs} onChange={({ target }) => change({ envs: target.value })} />}
        </Field>
        <label className="check">
          <input type="checkbox" checked={form.reveals} onChange={({ target }) => change({ reveals: target.checked })} />
          May reveal passwords
        </label>
        <Field label="Valid for" hint="30d, 90d, 365d.">
          {(control) => <input {...control} required value={form.expires} onChange={({ target }) => change({ expires: target.value })} />}
        </Field>
        {create.isError && <Failure error={create.error} what="create the token" />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending}>
            Create token
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
