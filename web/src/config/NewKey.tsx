import { type FormEvent, useState } from "react";
import type { Environment } from "../api.ts";
import { Button } from "../components/Button.tsx";
import { Dialog, DialogActions } from "../components/Dialog.tsx";
import { Field } from "../components/Field.tsx";
import type { Key } from "./Matrix.tsx";

interface NewKeyProps {
  readonly environments: readonly Environment[];
  readonly onClose: () => void;
  readonly onChosen: (key: Key, env: string) => void;
}

/** What a new key is called, and what it is. Its value comes next. */
export function NewKey({ environments, onClose, onChosen }: NewKeyProps) {
  const [name, setName] = useState("");
  const [kind, setKind] = useState<Key["kind"]>("vars");
  const [env, setEnv] = useState(environments[0]?.env ?? "");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== "") onChosen({ kind, name: name.trim() }, env);
  };
  return (
    <Dialog title="New key" onClose={onClose}>
      <form onSubmit={submit} className="form">
        <Field label="Name">
          {(control) => (
            <input
              {...control}
              required
              spellCheck={false}
              autoComplete="off"
              value={name}
              onChange={({ target }) => setName(target.value)}
            />
          )}
        </Field>
        <Field label="What it is">
          {(control) => (
            <select {...control} value={kind} onChange={({ target }) => setKind(target.value as Key["kind"])}>
              <option value="vars">A value, that everybody here may read</option>
              <option value="secrets">A password, kept in the vault</option>
              <option value="flags">A switch for a feature</option>
            </select>
          )}
        </Field>
        <Field label="Environment">
          {(control) => (
            <select {...control} value={env} onChange={({ target }) => setEnv(target.value)}>
              {environments.map((each) => (
                <option key={each.env} value={each.env}>
                  {each.env}
                </option>
              ))}
            </select>
          )}
        </Field>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={name.trim() === ""}>
            Next
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
