import { Field } from "./Field.tsx";

interface SayingSoProps {
  readonly env: string;
  /** Whether the environment's name has to be typed. */
  readonly typed: boolean;
  readonly reasonNeeded: boolean;
  readonly reason: string;
  readonly name: string;
  readonly onChange: (change: { readonly reason?: string; readonly name?: string }) => void;
}

/** Why, and the environment's name once more: what is asked before something that everybody feels. */
export function SayingSo({ env, typed, reasonNeeded, reason, name, onChange }: SayingSoProps) {
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
