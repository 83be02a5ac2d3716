import { type FormEvent, useMemo, useState } from "react";
import { type Context, compileFlags, definitionFaults, type Evaluation, expanded } from "../../../src/flagd/index.ts";
import { isObject } from "../../../src/json.ts";
import { Field } from "../components/Field.tsx";
import { readJson } from "../json.ts";
import { Actions, type FormProps } from "./Actions.tsx";
import styles from "./FlagForm.module.css";

type Flags = Parameters<typeof compileFlags>[0];
type Json = Flags[string];

interface Draft {
  readonly on: boolean;
  readonly variants: string;
  readonly defaultVariant: string;
  readonly targeting: string;
}

const NEW: Draft = { on: true, variants: '{\n  "on": true,\n  "off": false\n}', defaultVariant: "off", targeting: "" };

interface Known {
  readonly flags: Readonly<Record<string, unknown>>;
  /** Rules that flags share, by the names that `$ref` gives. */
  readonly evaluators: Readonly<Record<string, unknown>>;
}

/** A flag as a form: on or off, what it can be, what it is for whom, and for one person, why. */
export default function FlagForm({ onSave, flags, evaluators, ...form }: FormProps<unknown> & Known) {
  const { name } = form;
  const [draft, setDraft] = useState<Draft>(() => draftOf(flags[name]));
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const read = useMemo(() => definitionOf(draft, flags[name], evaluators as Flags), [draft, flags, name, evaluators]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (read.definition !== null) onSave(read.definition);
  };
  return (
    <form onSubmit={submit} className="form">
      <label className={styles.switch}>
        <input type="checkbox" checked={draft.on} onChange={({ target }) => change({ on: target.checked })} />
        <span>
          <strong>{draft.on ? "Switched on" : "Switched off"}</strong>
          {draft.on ? ": it is what the rules below say" : ": applications use their own default, whatever stands below"}
        </span>
      </label>
      <div className={styles.columns}>
        <Field label="What it can be" hint="Names and values, as JSON. All values are of one kind.">
          {(control) => (
            <textarea
              {...control}
              rows={5}
              spellCheck={false}
              value={draft.variants}
              onChange={({ target }) => change({ variants: target.value })}
            />
          )}
        </Field>
        <Field label="For everybody else" hint="Where no rule says otherwise.">
          {(control) => (
            <select {...control} value={draft.defaultVariant} onChange={({ target }) => change({ defaultVariant: target.value })}>
              <option value="">The application’s own default</option>
              {read.variants.map((variant) => (
                <option key={variant} value={variant}>
                  {variant}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <Field
        label="Rules (may be left out)"
        hint={
          <>
            JSON, as flagd has it. A tenth of all people: <code>{'{"fractional": [["on", 10], ["off", 90]]}'}</code>. Some of them:{" "}
            <code>{'{"if": [{"ends_with": [{"var": "email"}, "@example.com"]}, "on", "off"]}'}</code>.
          </>
        }
      >
        {(control) => (
          <textarea
            {...control}
            rows={6}
            spellCheck={false}
            value={draft.targeting}
            onChange={({ target }) => change({ targeting: target.value })}
          />
        )}
      </Field>
      {read.faults.length > 0 && (
        <ul role="alert" className={styles.faults}>
          {read.faults.map((fault) => (
            <li key={fault}>{fault}</li>
          ))}
        </ul>
      )}
      {read.definition !== null && <Why name={name} definition={read.definition} flags={flags} evaluators={evaluators} />}
      <Actions {...form} disabled={!form.canSave || read.definition === null} />
    </form>
  );
}

/** What the flag, as it stands in the form, is for one person; evaluated here, by the engine's own evaluator. */
function Why({ name, definition, flags, evaluators }: { readonly name: string; readonly definition: Json } & Known) {
  const [text, setText] = useState('{\n  "targetingKey": "user-1"\n}');
  const result = useMemo(() => {
    const { value: context } = readJson(text);
    if (!isObject(context)) return null;
    const shared = { evaluators: evaluators as Flags };
    return compileFlags({ ...(flags as Flags), [name]: definition }, shared).evaluate(name, context as Context);
  }, [text, definition, flags, evaluators, name]);
  return (
    <details className={styles.why}>
      <summary>What is it for one person, and why?</summary>
      <Field
        label="Who asks"
        hint="What the application tells of somebody, as JSON. Nothing of it is sent anywhere."
        error={result === null ? "This is no JSON object." : null}
      >
        {(control) => <textarea {...control} rows={4} spellCheck={false} value={text} onChange={({ target }) => setText(target.value)} />}
      </Field>
      <output className={styles.result}>{result === null ? "" : inWords(result)}</output>
    </details>
  );
}

const REASONS: Readonly<Record<string, string>> = {
  STATIC: "there are no rules",
  TARGETING_MATCH: "a rule says so",
  SPLIT: "a rule divides people",
  DEFAULT: "no rule says otherwise",
  DISABLED: "it is switched off",
};

function inWords(evaluation: Evaluation): string {
  if ("errorCode" in evaluation) return `It cannot be said: ${evaluation.errorDetails}`;
  const { value, variant, reason } = evaluation;
  const what =
    value === undefined ? "the application’s own default" : `${JSON.stringify(value)}${variant === undefined ? "" : ` (“${variant}”)`}`;
  return `${what}, since ${REASONS[reason] ?? reason}.`;
}

function draftOf(flag: unknown): Draft {
  if (flag === undefined) return NEW;
  const { state, variants, defaultVariant, targeting } = expanded(flag as Json) as Readonly<Record<string, Json>>;
  return {
    on: state === "ENABLED",
    variants: JSON.stringify(variants, null, 2),
    defaultVariant: typeof defaultVariant === "string" ? defaultVariant : "",
    targeting: targeting === undefined || JSON.stringify(targeting) === "{}" ? "" : JSON.stringify(targeting, null, 2),
  };
}

interface Read {
  readonly definition: Json | null;
  readonly variants: readonly string[];
  readonly faults: readonly string[];
}

/** The definition that the form stands for, or all that is wrong with it. What the form does not show stays as it was. */
function definitionOf(draft: Draft, before: unknown, evaluators: Flags): Read {
  const { value: variants, fault: noVariants } = readJson(draft.variants);
  const { value: targeting, fault: noTargeting } = draft.targeting.trim() === "" ? { value: null, fault: null } : readJson(draft.targeting);
  const names = isObject(variants) ? Object.keys(variants) : [];
  const faults = [
    ...(noVariants === null ? [] : [`What it can be is no JSON that can be kept: ${noVariants}`]),
    ...(noTargeting === null ? [] : [`The rules are no JSON that can be kept: ${noTargeting}`]),
  ];
  if (faults.length > 0) return { definition: null, variants: names, faults };
  const {
    defaultVariant: _,
    targeting: __,
    ...rest
  } = before === undefined ? {} : (expanded(before as Json) as Readonly<Record<string, Json>>);
  const definition = {
    ...rest,
    state: draft.on ? "ENABLED" : "DISABLED",
    variants,
    ...(draft.defaultVariant !== "" && { defaultVariant: draft.defaultVariant }),
    ...(targeting !== null && { targeting }),
  } as unknown as Json;
  const found = definitionFaults(definition, evaluators).map(({ path, message }) => `${path === "" ? "It" : path} ${message}`);
  return { definition: found.length === 0 ? definition : null, variants: names, faults: found };
}
