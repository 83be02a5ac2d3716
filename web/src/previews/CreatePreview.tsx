import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Button } from "../components/Button.tsx";
import { Dialog, DialogActions } from "../components/Dialog.tsx";
import { Field } from "../components/Field.tsx";
import { Failure } from "../components/States.tsx";
import { EnvironmentName } from "../environments/EnvironmentName.tsx";
import { environmentsQuery } from "../queries.ts";
import { useAction } from "../useAction.ts";
import { useRead } from "../useRead.ts";
import { createdInWords } from "../words.ts";
import { Lifetime } from "./Lifetime.tsx";

/** Of what, how it is called, what it is for, and until when. */
export function CreatePreview({ project, onClose }: { readonly project: string; readonly onClose: () => void }) {
  const environments = (useRead(environmentsQuery(project)).data?.items ?? []).filter(({ status }) => status === "active");
  const [{ name, base, source, lifetime }, setForm] = useState({ name: "", base: "", source: "", lifetime: "72h" });
  const change = (part: Partial<{ name: string; base: string; source: string; lifetime: string }>) =>
    setForm({ name, base, source, lifetime, ...part });
  const from = base === "" ? (environments.find(({ type }) => type === "staging") ?? environments[0])?.env : base;
  const announce = useAnnounce();
  const queries = useQueryClient();
  const create = useAction({
    mutationFn: () =>
      api.createEnvironment({
        project_id: project,
        new_environment: name.trim(),
        base_from: from ?? null,
        type: "preview",
        expires_in: lifetime,
        ...(source.trim() !== "" && { source_ref: source.trim() }),
      }),
    onSuccess: async (created) => {
      announce(createdInWords(created));
      onClose();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.act();
  };
  return (
    <Dialog title="New preview" onClose={onClose}>
      <form onSubmit={submit} className="form">
        <Field label="Copy of" hint="Its version, values and switches are copied. Passwords are copied where you may reveal them.">
          {(control) => (
            <select {...control} value={from ?? ""} onChange={({ target }) => change({ base: target.value })}>
              {environments.map(({ env, version }) => (
                <option key={env} value={env}>
                  {env} ({version})
                </option>
              ))}
            </select>
          )}
        </Field>
        <EnvironmentName label="Name" example="pr-142" value={name} onChange={(value) => change({ name: value })} />
        <Field label="What it is for (may be left out)" hint="A pull request’s address, or a ticket.">
          {(control) => <input {...control} maxLength={500} value={source} onChange={({ target }) => change({ source: target.value })} />}
        </Field>
        <Lifetime value={lifetime} onChange={(value) => change({ lifetime: value })} />
        {create.isError && <Failure error={create.error} what="create the preview" />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending} disabled={name.trim() === "" || from === undefined}>
            Create preview
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
