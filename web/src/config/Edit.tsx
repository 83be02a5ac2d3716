import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, lazy, Suspense, useState } from "react";
import { api } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Button } from "../components/Button.tsx";
import { Dialog } from "../components/Dialog.tsx";
import { Field } from "../components/Field.tsx";
import { Notice } from "../components/Notice.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { Ago } from "../components/Time.tsx";
import { mayChange, useMay } from "../rights.ts";
import { useAction } from "../useAction.ts";
import { whatHappened } from "../words.ts";
import { Actions, type FormProps } from "./Actions.tsx";
import { boundIn, type Key, type Place } from "./Matrix.tsx";

const FlagForm = lazy(() => import("./FlagForm.tsx"));

interface EditProps {
  readonly of: Key;
  readonly place: Place;
  readonly onClose: () => void;
}

/** One key of one environment: what it is, where that comes from, and what it becomes. */
export function Edit({ of: { kind, name }, place, onClose }: EditProps) {
  const { environment, config } = place;
  const { project_id: project, env } = environment;
  const current = boundIn(config, { kind, name });
  // What the form began with: while it is open, somebody else may save another.
  const [begun, setBegun] = useState(current);
  const announce = useAnnounce();
  const queries = useQueryClient();
  const write = useAction({
    mutationFn: (change: { readonly value: unknown } | "unset") =>
      api.patchConfig(
        change === "unset"
          ? { project, env, unset: [`${kind}/${name}`] }
          : { project, env, [kind]: { [name]: change.value } as Record<string, string> },
      ),
    onSuccess: async (_, change) => {
      announce(change === "unset" ? `${name} was removed from ${env}.` : `${name} was saved in ${env}.`);
      onClose();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  const isOvertaken = !write.isPending && !write.isSuccess && JSON.stringify(current) !== JSON.stringify(begun);
  const save = (value: unknown) => write.act({ value });
  const isOurs = mayChange(useMay(project), environment);
  const form = { name, busy: write.isPending, canSave: isOurs, onSave: save, onCancel: onClose };
  return (
    <Dialog title={`${name} in ${env}`} onClose={onClose} wide={kind === "flags"}>
      {current !== undefined && <Provenance of={{ kind, name }} place={place} />}
      {isOvertaken && (
        <Notice
          tone="warn"
          title="Somebody else changed it meanwhile"
          actions={<Button onClick={() => setBegun(current)}>Show what is there now</Button>}
        >
          <p>What you save from here takes the place of theirs.</p>
        </Notice>
      )}
      {kind === "vars" && <TextForm key={JSON.stringify(begun)} {...form} initial={begun as string | undefined} />}
      {kind === "secrets" && <SecretForm {...form} isSet={current !== undefined} />}
      {kind === "flags" && (
        <Suspense fallback={<Loading what="the flag" />}>
          <FlagForm key={JSON.stringify(begun)} {...form} flags={{ ...config.flags, [name]: begun }} evaluators={config.evaluators ?? {}} />
        </Suspense>
      )}
      {write.isError && <Failure error={write.error} what="save it" />}
      {!isOurs && <p>You may look at this, but not change it: your token may not{environment.protected ? ", for it is protected" : ""}.</p>}
      {current !== undefined && isOurs && (
        <details>
          <summary>Remove it from {env}</summary>
          <p>Whatever reads it there does not find it any more.</p>
          <Button look="danger" small busy={write.isPending} onClick={() => write.act("unset")}>
            Remove {name}
          </Button>
        </details>
      )}
    </Dialog>
  );
}

/** Who set it last, and how. */
function Provenance({ of, place: { origins } }: { readonly of: Key; readonly place: Place }) {
  if (origins === null) return null;
  const origin = origins(of);
  if (origin === undefined) return <p>It has been so for long: none of the newest changes was to it.</p>;
  return (
    <p>
      {whatHappened(origin)}, <Ago at={origin.timestamp} />, and it has been so since.
    </p>
  );
}

function TextForm({ name, busy, canSave, onSave, onCancel, initial }: FormProps<string> & { readonly initial: string | undefined }) {
  const [value, setValue] = useState(initial ?? "");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSave(value);
  };
  return (
    <form onSubmit={submit} className="form">
      <Field label="Value">
        {(control) => (
          <textarea
            {...control}
            rows={Math.min(8, value.split("\n").length + 1)}
            spellCheck={false}
            value={value}
            onChange={({ target }) => setValue(target.value)}
          />
        )}
      </Field>
      <Actions name={name} busy={busy} onCancel={onCancel} disabled={!canSave || value === initial} />
    </form>
  );
}

function SecretForm({ name, busy, canSave, onSave, onCancel, isSet }: FormProps<string> & { readonly isSet: boolean }) {
  const [value, setValue] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (value !== "") onSave(value);
  };
  return (
    <form onSubmit={submit} className="form">
      <Field
        label={isSet ? "New value" : "Value"}
        hint="A password kept in the vault. It is not shown again here, and never becomes an ordinary value."
      >
        {(control) => (
          <input {...control} type="password" autoComplete="new-password" value={value} onChange={({ target }) => setValue(target.value)} />
        )}
      </Field>
      <Actions name={name} busy={busy} onCancel={onCancel} disabled={!canSave || value === ""} />
    </form>
  );
}
