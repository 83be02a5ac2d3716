import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, type Environment } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Button } from "../components/Button.tsx";
import { Field } from "../components/Field.tsx";
import { Failure } from "../components/States.tsx";
import { rulesOf } from "../policy.ts";
import { useAction } from "../useAction.ts";
import styles from "./PolicyForm.module.css";

type Policy = Readonly<Record<string, unknown>>;

interface PolicyFormProps {
  readonly project: string;
  readonly policy: Policy;
  readonly environments: readonly Environment[];
}

const PRESETS = [
  { value: "solo", text: "One person", about: "Production changes by promotion alone; nobody is waited for." },
  { value: "team", text: "A team", about: "Somebody else agrees before production changes." },
  { value: "regulated", text: "Audited", about: "Two others agree, after a day in staging, never over a weekend, with a reason." },
] as const;

/** The policy as a form; as JSON, for what the form does not show; and as one of three to begin with. */
export function PolicyForm({ project, policy, environments }: PolicyFormProps) {
  const [draft, setDraft] = useState(policy);
  const announce = useAnnounce();
  const queries = useQueryClient();
  const save = useAction({
    mutationFn: (next: Policy) => api.replacePolicy({ project, policy: next as Parameters<typeof api.replacePolicy>[0]["policy"] }),
    onSuccess: async () => {
      announce("The policy was saved.");
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.act(draft);
  };
  const isChanged = JSON.stringify(draft) !== JSON.stringify(policy);
  return (
    <form onSubmit={submit} className="form">
      <fieldset className={styles.presets}>
        <legend>Begin with</legend>
        {PRESETS.map(({ value, text, about }) => (
          <div key={value} className={styles.preset}>
            <p>
              <strong>{text}</strong>
            </p>
            <p>{about}</p>
            <Button small busy={save.isPending && save.variables?.preset === value} onClick={() => save.act({ preset: value })}>
              Take “{text}”
            </Button>
          </div>
        ))}
      </fieldset>
      <Pipeline draft={draft} onChange={setDraft} />
      {environments.map((environment) => (
        <Rules key={environment.env} environment={environment} draft={draft} onChange={setDraft} />
      ))}
      <Text key={JSON.stringify(draft)} draft={draft} onChange={setDraft} />
      {save.isError && <Failure error={save.error} what="save the policy" />}
      <div className="row">
        <Button type="submit" look="primary" busy={save.isPending} disabled={!isChanged}>
          Save the policy
        </Button>
        {isChanged && (
          <Button look="quiet" onClick={() => setDraft(policy)}>
            Undo my changes
          </Button>
        )}
      </div>
    </form>
  );
}

interface PartProps {
  readonly draft: Policy;
  readonly onChange: (policy: Policy) => void;
}

function Pipeline({ draft, onChange }: PartProps) {
  const order = Array.isArray(draft.pipeline) ? (draft.pipeline as readonly string[]) : [];
  const [text, setText] = useState(order.join(", "));
  const commit = () => {
    const names = text.split(/[\s,→>]+/).filter(Boolean);
    const { pipeline: _, ...rest } = draft;
    onChange(names.length === 0 ? rest : { ...rest, pipeline: names });
  };
  return (
    <Field label="The way to production" hint="Environments in their order, separated by commas. Left out, every promotion is allowed.">
      {(control) => (
        <input
          {...control}
          placeholder="development, staging, production"
          spellCheck={false}
          value={text}
          onChange={({ target }) => setText(target.value)}
          onBlur={commit}
        />
      )}
    </Field>
  );
}

const SWITCHES = [
  ["protected", "Changes by promotion alone"],
  ["require_message", "Asks why"],
  ["require_confirmation", "Asks for its name once more"],
  ["auto_deploy", "Deployed by itself"],
  ["rollback_on_failure", "Rolled back where a deployment fails"],
] as const;

function Rules({ environment, draft, onChange }: PartProps & { readonly environment: Environment }) {
  const { env } = environment;
  const rules = rulesOf(draft, environment);
  const set = (name: string, value: unknown) => {
    const all = (draft.environments ?? {}) as Readonly<Record<string, Policy>>;
    const own = { ...all[env], [name]: value };
    onChange({ ...draft, environments: { ...all, [env]: own } });
  };
  const approvals = rules.approvals;
  const count = typeof approvals === "object" && approvals !== null ? (approvals as { count: number }).count : Number(approvals ?? 0);
  return (
    <fieldset className={styles.rules}>
      <legend>{env}</legend>
      {SWITCHES.map(([name, text]) => (
        <label key={name} className="check">
          <input type="checkbox" checked={rules[name] === true} onChange={({ target }) => set(name, target.checked)} />
          {text}
        </label>
      ))}
      <Field label="Others who must agree">
        {(control) => (
          <input
            {...control}
            type="number"
            min={0}
            max={20}
            value={count}
            onChange={({ target }) =>
              set(
                "approvals",
                typeof approvals === "object" && approvals !== null ? { ...approvals, count: Number(target.value) } : Number(target.value),
              )
            }
          />
        )}
      </Field>
      <Field label="Tried out before, for" hint="30m, 24h, 7d; empty for no time.">
        {(control) => (
          <input
            {...control}
            value={typeof rules.soak === "string" ? rules.soak : ""}
            onChange={({ target }) => set("soak", target.value || undefined)}
          />
        )}
      </Field>
    </fieldset>
  );
}

/** Everything, for what the form does not show: freezes, who may approve, what may be skipped. */
function Text({ draft, onChange }: PartProps) {
  const [text, setText] = useState(JSON.stringify(draft, null, 2));
  const [isWrong, setWrong] = useState(false);
  const commit = () => {
    try {
      onChange(JSON.parse(text) as Policy);
      setWrong(false);
    } catch {
      setWrong(true);
    }
  };
  return (
    <details>
      <summary>As JSON, with everything</summary>
      <Field label="Policy" error={isWrong ? "This is no JSON." : null} hint="docs/policy.md explains every rule.">
        {(control) => (
          <textarea
            {...control}
            rows={16}
            spellCheck={false}
            value={text}
            onChange={({ target }) => setText(target.value)}
            onBlur={commit}
          />
        )}
      </Field>
    </details>
  );
}
