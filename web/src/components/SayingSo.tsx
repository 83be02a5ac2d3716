import { type ReactNode, useState } from "react";
import type { Environment } from "../api.ts";
import { useAsked } from "../policy.ts";
import { Field } from "./Field.tsx";

interface Said {
  readonly fields: ReactNode;
  /** Whether all that is asked is there. */
  readonly isSaid: boolean;
  /** What the request carries of it. */
  readonly word: { readonly message?: string; readonly confirm?: string };
}

/**
 * The fields in which somebody says why, and types the environment's name, as far as that is asked; and what they say there.
 * @param isGrave whether a reason is asked for in any case
 */
export function useSayingSo(environment: Environment, isGrave = false): Said {
  const [{ reason, name }, setWord] = useState({ reason: "", name: "" });
  const usual = useAsked(environment);
  const asked = { ...usual, reason: usual.reason || isGrave };
  const message = reason.trim();
  return {
    fields: (
      <SayingSo
        env={environment.env}
        typed={asked.name}
        reasonNeeded={asked.reason}
        reason={reason}
        name={name}
        onChange={(change) => setWord({ reason, name, ...change })}
      />
    ),
    isSaid: (!asked.reason || message !== "") && (!asked.name || name.trim() === environment.env),
    word: { ...(message !== "" && { message }), ...(asked.name && { confirm: name.trim() }) },
  };
}

interface SayingSoProps {
  readonly env: string;
  /** Whether the environment's name has to be typed. */
  readonly typed: boolean;
  readonly reasonNeeded: boolean;
  readonly reason: string;
  readonly name: string;
  readonly onChange: (change: { readonly reason?: string; readonly name?: string }) => void;
}

function SayingSo({ env, typed, reasonNeeded, reason, name, onChange }: SayingSoProps) {
  return (
    <>
      <Field label={reasonNeeded ? "Why" : "Why (may be left out)"} hint="Kept in the history, for everybody who looks there later.">
        {(control) => (
          <textarea
            {...control}
            rows={2}
            maxLength={2_000}
            required={reasonNeeded}
            value={reason}
            onChange={({ target }) => onChange({ reason: target.value })}
          />
        )}
      </Field>
      {typed && (
        <Field label={`Type ${env} to confirm`}>
          {(control) => (
            <input
              {...control}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              value={name}
              onChange={({ target }) => onChange({ name: target.value })}
            />
          )}
        </Field>
      )}
    </>
  );
}
