import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { isObject } from "../../../src/json.ts";
import { api, type Environment, type Policy } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Button } from "../components/Button.tsx";
import { ConfirmDialog } from "../components/ConfirmDialog.tsx";
import { Field } from "../components/Field.tsx";
import { Notice } from "../components/Notice.tsx";
import { Failure } from "../components/States.tsx";
import { readJson } from "../json.ts";
import { pipelineOf, rulesOf } from "../policy.ts";
import { policyQuery } from "../queries.ts";
import { useAction } from "../useAction.ts";
import styles from "./PolicyForm.module.css";

type Rules = Readonly<Record<string, unknown>>;
type Current = Policy & { readonly etag: string | null };

interface Draft {
  /** What the draft was made of. */
  readonly base: Current;
  readonly draft: Rules;
  /** What is being typed as JSON; `null` where that is what the draft says. */
  readonly typed: string | null;
}

interface PolicyFormProps {
  readonly project: string;
  /** The policy as it is now: another one than before, once somebody saved it. */
  readonly current: Current;
  readonly environments: readonly Environment[];
  /** Whether whoever looks may change it. */
  readonly isOurs: boolean;
}

const PRESETS = [
  { value: "solo", text: "One person", about: "Production changes by promotion alone; nobody is waited for." },
  { value: "team", text: "A team", about: "Somebody else agrees before production changes." },
  { value: "regulated", text: "Audited", about: "Two others agree, after a day in staging, never over a weekend, with a reason." },
] as const;

type Preset = (typeof PRESETS)[number];

/** The policy as a form; as JSON, for what the form does not show; and as one of three to begin with. */
export function PolicyForm({ project, current, environments, isOurs }: PolicyFormProps) {
  const [{ base, draft, typed }, setState] = useState<Draft>({ base: current, draft: current.policy, typed: null });
  const [preset, setPreset] = useState<Preset | null>(null);
  const announce = useAnnounce();
  const queries = useQueryClient();
  const adopt = (policy: Current) => setState({ base: policy, draft: policy.policy, typed: null });
  const setDraft = (next: Rules) => setState({ base, draft: next, typed });
  const save = useAction({
    mutationFn: (next: Rules) => api.replacePolicy({ project, policy: next as Policy["policy"], ifMatch: base.etag ?? undefined }),
    onSuccess: async () => {
      announce("The policy was saved.");
      await queries.invalidateQueries({ queryKey: ["project", project] });
      adopt(queries.getQueryData(policyQuery(project).queryKey) ?? base);
    },
    // It may be that somebody else was quicker: then theirs is shown.
    onError: () => void queries.invalidateQueries(policyQuery(project)),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isChanged && !isOvertaken && fault === null) save.act(draft);
  };
  const fault = typed === null ? null : readPolicy(typed).fault;
  const isChanged = fault !== null || JSON.stringify(draft) !== JSON.stringify(base.policy);
  const isOther = current.revision !== base.revision && !save.isPending;
  if (isOther && !isChanged) adopt(current);
  const isOvertaken = isOther && isChanged;
  const showTheirs = () => {
    save.reset();
    adopt(current);
  };
  return (
    <form onSubmit={submit} className="form">
      {isOurs ? <Presets onChosen={setPreset} /> : <p>You may look at this, but not change it: an administrator of the project may.</p>}
      <fieldset key={base.revision} disabled={!isOurs} className="form">
        <Pipeline draft={draft} onChange={setDraft} />
        {environments.map((environment) => (
          <EnvironmentRules key={environment.env} environment={environment} draft={draft} onChange={setDraft} />
        ))}
        <Text draft={draft} typed={typed} fault={fault} onChange={(next) => setState({ base, draft, typed, ...next })} />
      </fieldset>
      {save.isError && !isOvertaken && <Failure error={save.error} what="save the policy" />}
      {isOvertaken && (
        <Notice tone="warn" title="Somebody else saved the policy meanwhile" actions={<Button onClick={showTheirs}>Show theirs</Button>}>
          <p>What you changed here is not saved, and would undo theirs. Look at theirs, and make your changes again.</p>
        </Notice>
      )}
      {fault !== null && <p>What stands there as JSON cannot be saved: {fault} Mend it, or undo your changes.</p>}
      {isOurs && (
        <div className="row">
          <Button type="submit" look="primary" busy={save.isPending} disabled={!isChanged || isOvertaken || fault !== null}>
            Save the policy
          </Button>
          {isChanged && !isOvertaken && (
            <Button look="quiet" onClick={() => adopt(base)}>
              Undo my changes
            </Button>
          )}
        </div>
      )}
      {preset !== null && (
        <ConfirmDialog
          title={`Take “${preset.text}”?`}
          verb={`Take “${preset.text}”`}
          act={() => save.mutateAsync({ preset: preset.value })}
          done="The policy was saved."
          changes={["project", project]}
          onClose={() => setPreset(null)}
        >
          {preset.about} It takes the place of the whole policy: every rule that there is now goes, and what waits for approval has to be
          asked for anew.
        </ConfirmDialog>
      )}
    </form>
  );
}

function Presets({ onChosen }: { readonly onChosen: (preset: Preset) => void }) {
  return (
    <fieldset className={styles.presets}>
      <legend>Begin with</legend>
      {PRESETS.map((preset) => (
        <div key={preset.value} className={styles.preset}>
          <p>
            <strong>{preset.text}</strong>
          </p>
          <p>{preset.about}</p>
          <Button small onClick={() => onChosen(preset)}>
            Take “{preset.text}” …
          </Button>
        </div>
      ))}
    </fieldset>
  );
}

interface PartProps {
  readonly draft: Rules;
  readonly onChange: (policy: Rules) => void;
}

/** What is typed stays as it is typed; the rest of the form has what it means at once. */
function Pipeline({ draft, onChange }: PartProps) {
  const [typed, setTyped] = useState<string | null>(null);
  const change = (text: string) => {
    setTyped(text);
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
          value={typed ?? pipelineOf(draft).join(", ")}
          onChange={({ target }) => change(target.value)}
          onBlur={() => setTyped(null)}
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

function EnvironmentRules({ environment, draft, onChange }: PartProps & { readonly environment: Environment }) {
  const { env, type } = environment;
  const rules = rulesOf(draft, environment);
  const all = (draft.environments ?? {}) as Readonly<Record<string, Rules>>;
  const usual = all[`type:${type}`]?.soak;
  const set = (name: string, value: unknown) => {
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
      <Field
        label="Tried out before, for"
        hint={`30m, 24h, 7d; empty for ${typeof usual === "string" ? `${usual}, the rule for ${type} environments` : "no time"}.`}
      >
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

interface TextProps {
  readonly draft: Rules;
  readonly typed: string | null;
  /** What is wrong with what is typed. */
  readonly fault: string | null;
  readonly onChange: (change: Partial<Pick<Draft, "draft" | "typed">>) => void;
}

/** Everything, for what the form does not show: freezes, who may approve, what may be skipped. */
function Text({ draft, typed, fault, onChange }: TextProps) {
  return (
    <details>
      <summary>As JSON, with everything</summary>
      <Field label="Policy" error={fault} hint="docs/policy.md explains every rule.">
        {(control) => (
          <textarea
            {...control}
            rows={16}
            spellCheck={false}
            value={typed ?? JSON.stringify(draft, null, 2)}
            onChange={({ target: { value } }) => {
              const { rules } = readPolicy(value);
              onChange({ typed: value, ...(rules !== null && { draft: rules }) });
            }}
            onBlur={() => fault === null && onChange({ typed: null })}
          />
        )}
      </Field>
    </details>
  );
}

/** The policy that a text holds, or what is wrong with it. */
function readPolicy(text: string): { readonly rules: Rules; readonly fault: null } | { readonly rules: null; readonly fault: string } {
  const { value, fault } = readJson(text);
  if (fault !== null) return { rules: null, fault: `This is no JSON that can be kept: ${fault}` };
  return isObject(value) ? { rules: value, fault: null } : { rules: null, fault: "This is no JSON object." };
}
