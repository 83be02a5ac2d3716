import { Field } from "../components/Field.tsx";

interface EnvironmentNameProps {
  readonly label: string;
  readonly example: string;
  readonly value: string;
  readonly onChange: (name: string) => void;
}

/** What a new environment is called. */
export function EnvironmentName({ label, example, value, onChange }: EnvironmentNameProps) {
  return (
    <Field label={label} hint={`Small letters, digits, “-” and “_”, for example ${example}.`}>
      {(control) => (
        <input
          {...control}
          required
          pattern="[a-z0-9][a-z0-9_\-]{0,62}"
          autoCapitalize="none"
          spellCheck={false}
          autoComplete="off"
          value={value}
          onChange={({ target }) => onChange(target.value)}
        />
      )}
    </Field>
  );
}
