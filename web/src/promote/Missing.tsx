import { type FormEvent, useState } from "react";
import type { Environment } from "../api.ts";
import { Button } from "../components/Button.tsx";
import { Field } from "../components/Field.tsx";
import { keyInWords } from "../words.ts";
import styles from "./Missing.module.css";
import type { Planned } from "./usePlan.ts";

/** What the version needs and the target does not have, to be filled in on the spot. Values go into the plan, and nowhere else. */
export function Missing({ planned, target }: { readonly planned: Planned; readonly target: Environment }) {
  const { decisions, plan } = planned;
  const [drafts, setDrafts] = useState<Readonly<Record<string, string>>>({});
  const unbound = (plan?.checks.find(({ name }) => name === "config_complete")?.details?.unbound ?? []) as readonly string[];
  const asked = [...new Set([...unbound, ...Object.keys(decisions.values)])].filter((key) => !key.startsWith("flags/")).sort();
  if (asked.length === 0) return null;
  const filled = Object.entries(drafts).filter(([, value]) => value !== "");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    planned.decide({ values: { ...decisions.values, ...Object.fromEntries(filled) } });
    setDrafts({});
  };
  return (
    <form onSubmit={submit} className={styles.missing}>
      <p>
        <strong>Values that {target.env} needs.</strong> They are set together with the promotion.
      </p>
      {asked.map((key) => {
        const { kind, name, text } = keyInWords(key);
        const isGiven = Object.hasOwn(decisions.values, key);
        return (
          <Field key={key} label={name} hint={isGiven ? `Given, as ${text}. Type again to change it.` : `Becomes ${text}.`}>
            {(control) => (
              <input
                {...control}
                type={kind === "secret" ? "password" : "text"}
                autoComplete="off"
                spellCheck={false}
                value={drafts[key] ?? ""}
                onChange={(event) => setDrafts({ ...drafts, [key]: event.target.value })}
              />
            )}
          </Field>
        );
      })}
      <Button type="submit" disabled={filled.length === 0}>
        Put into the plan
      </Button>
    </form>
  );
}
