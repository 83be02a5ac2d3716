import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, lazy, Suspense, useState } from "react";
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
import { boundIn, flagInWords, type Key, type Place } from "./Matrix.tsx";
import { type Change, isSame, Overtaken, type Shown, saveOver } from "./saving.ts";

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
  const shown: Shown = { value: current, revision: config.revision };
  // What the form began with: while it is open, somebody else may save another.
  const [begun, setBegun] = useState(shown);
  const announce = useAnnounce();
  const queries = useQueryClient();
  // What somebody else saved meanwhile, once it was told to whoever tried to save another: what is saved then takes its place.
  const [told, setTold] = useState<Shown | null>(null);
  // Of a password, when it was set is all that shows that it is another.
  const setAt = kind === "secrets" ? (place.origins?.({ kind, name })?.revision ?? 0) : 0;
  const isStill = (since: Shown) => isSame(current, since.value) && setAt <= since.revision;
  const isTold = told !== null && isStill(told);
  const write = useAction({
    mutationFn: (change: Change) => saveOver(queries, { project, env, key: { kind, name }, change, over: isTold ? told : begun }),
    onError: (error) => error instanceof Overtaken && setTold(error.now),
    onSuccess: async (_, change) => {
      announce(change === "unset" ? `${name} was removed from ${env}.` : `${name} was saved in ${env}.`);
      onClose();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  const isOvertaken = !write.isPending && !write.isSuccess && (isTold || !isStill(begun));
  const showTheirs = () => {
    setBegun(shown);
    setTold(null);
    write.reset();
  };
  const save = (value: unknown) => write.act({ value });
  const isOurs = mayChange(useMay(project), environment);
  const form = { name, isAnyway: isOvertaken && isTold, busy: write.isPending, canSave: isOurs, onSave: save, onCancel: onClose };
  return (
    <Dialog title={`${name} in ${env}`} onClose={onClose} wide={kind === "flags"}>
      {current !== undefined && <Provenance of={{ kind, name }} place={place} />}
      {isOvertaken && (
        <Notice
          tone="warn"
          title="Somebody else changed it meanwhile"
          alert={isTold}
          actions={kind !== "secrets" && <Button onClick={showTheirs}>Show what is there now</Button>}
        >
          <Now of={{ kind, name }} value={current} />
          <p>
            {isTold
              ? "Nothing was saved. What you save now takes the place of theirs."
              : "Nothing takes the place of theirs before you are asked."}
          </p>
        </Notice>
      )}
      {kind === "vars" && <TextForm key={JSON.stringify(begun.value)} {...form} initial={begun.value as string | undefined} />}
      {kind === "secrets" && <SecretForm {...form} isSet={current !== undefined} />}
      {kind === "flags" && (
        <Suspense fallback={<Loading what="the flag" />}>
          <FlagForm
            key={JSON.stringify(begun.value)}
            {...form}
            flags={{ ...config.flags, [name]: begun.value }}
            evaluators={config.evaluators ?? {}}
          />
        </Suspense>
      )}
      {write.isError && !(write.error instanceof Overtaken) && <Failure error={write.error} what="save it" />}
      {!isOurs && <p>You may look at this, but not change it: your token may not{environment.protected ? ", for it is protected" : ""}.</p>}
      {current !== undefined && isOurs && (
        <details>
          <summary>Remove it from {env}</summary>
          <p>Whatever reads it there does not find it any more.</p>
          <Button look="danger" small busy={write.isPending} onClick={() => write.act("unset")}>
            Remove {name}
            {form.isAnyway && " anyway"}
          </Button>
        </details>
      )}
    </Dialog>
  );
}

/** What somebody else made of it. */
function Now({ of: { kind }, value }: { readonly of: Key; readonly value: unknown }) {
  if (value === undefined) return <p>It is not set any more.</p>;
  if (kind === "secrets") return <p>Another password is there now.</p>;
  if (kind === "flags") return <p>It is {flagInWords(value)} now.</p>;
  return value === "" ? (
    <p>It is empty now.</p>
  ) : (
    <p>
      It is now: <code>{shortened(String(value))}</code>
    </p>
  );
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)} …` : text;
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

function TextForm({ onSave, initial, ...form }: FormProps<string> & { readonly initial: string | undefined }) {
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
      <Actions {...form} disabled={!form.canSave || value === initial} />
    </form>
  );
}

function SecretForm({ onSave, isSet, ...form }: FormProps<string> & { readonly isSet: boolean }) {
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
      <Actions {...form} disabled={!form.canSave || value === ""} />
    </form>
  );
}
