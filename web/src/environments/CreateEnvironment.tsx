import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import { api, type Environment } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Button } from "../components/Button.tsx";
import { Dialog, DialogActions } from "../components/Dialog.tsx";
import { Field } from "../components/Field.tsx";
import { Failure } from "../components/States.tsx";
import { useAction } from "../useAction.ts";
import { createdInWords } from "../words.ts";
import { EnvironmentName } from "./EnvironmentName.tsx";

const TYPES = [
  { value: "", text: "As its name says" },
  { value: "development", text: "Development: where it is built" },
  { value: "staging", text: "Staging: where it is tried out" },
  { value: "production", text: "Production: what customers use" },
  { value: "custom", text: "Another kind" },
] as const;

interface Form {
  readonly project: string;
  readonly name: string;
  readonly type: (typeof TYPES)[number]["value"];
  readonly base: string;
  readonly withSecrets: boolean;
}

interface CreateEnvironmentProps {
  /** `null` where the project begins with it. */
  readonly project: string | null;
  /** What it can begin as a copy of. */
  readonly environments: readonly Environment[];
  readonly onClose: () => void;
}

/** An environment that stays: how it is called, what it is for, and what it begins with. */
export function CreateEnvironment({ project, environments, onClose }: CreateEnvironmentProps) {
  const [form, setForm] = useState<Form>({ project: project ?? "", name: "", type: "", base: "", withSecrets: true });
  const change = (part: Partial<Form>) => setForm({ ...form, ...part });
  const announce = useAnnounce();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const of = form.project.trim();
  const create = useAction({
    mutationFn: () =>
      api.createEnvironment({
        project_id: of,
        new_environment: form.name.trim(),
        base_from: form.base === "" ? null : form.base,
        ...(form.type !== "" && { type: form.type }),
        ...(form.base !== "" && !form.withSecrets && { secrets: "empty" }),
      }),
    onSuccess: async (created) => {
      announce(createdInWords(created));
      await navigate(`/projects/${of}/env/${created.env}`);
      await Promise.all([["project", of], ["projects"]].map((queryKey) => queries.invalidateQueries({ queryKey })));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.act();
  };
  return (
    <Dialog title={project === null ? "New project" : "New environment"} onClose={onClose}>
      <form onSubmit={submit} className="form">
        {project === null && (
          <Field label="Project" hint="Letters, digits, “-” and “_”. It cannot be called otherwise later.">
            {(control) => (
              <input
                {...control}
                required
                pattern="[A-Za-z0-9][A-Za-z0-9_\-]{0,63}"
                autoCapitalize="none"
                spellCheck={false}
                autoComplete="off"
                value={form.project}
                onChange={({ target }) => change({ project: target.value })}
              />
            )}
          </Field>
        )}
        <EnvironmentName
          label={project === null ? "Its first environment" : "Name"}
          example={project === null ? "development" : "staging"}
          value={form.name}
          onChange={(name) => change({ name })}
        />
        <Field
          label="What it is for"
          hint="Names such as dev, staging or prod-eu say it. Before production changes, people here say why and type its name."
        >
          {(control) => (
            <select {...control} value={form.type} onChange={({ target }) => change({ type: target.value as Form["type"] })}>
              {TYPES.map(({ value, text }) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          )}
        </Field>
        {environments.length > 0 && (
          <Field label="Begins as" hint="What is empty gets its first version by a promotion, or by an upload.">
            {(control) => (
              <select {...control} value={form.base} onChange={({ target }) => change({ base: target.value })}>
                <option value="">Empty</option>
                {environments.map(({ env, version }) => (
                  <option key={env} value={env}>
                    A copy of {env} ({version})
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
        {form.base !== "" && (
          <label className="check">
            <input type="checkbox" checked={form.withSecrets} onChange={({ target }) => change({ withSecrets: target.checked })} />
            Its passwords too, where you may reveal them and it is not protected
          </label>
        )}
        {create.isError && <Failure error={create.error} what="create it" />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending} disabled={of === "" || form.name.trim() === ""}>
            {project === null ? "Create project" : "Create environment"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
