import { Field } from "../components/Field.tsx";
import { useNow } from "../components/Time.tsx";
import { onDay } from "../time.ts";

const CHOICES = [
  { value: "8h", text: "8 hours", hours: 8 },
  { value: "24h", text: "A day", hours: 24 },
  { value: "72h", text: "3 days", hours: 72 },
  { value: "7d", text: "A week", hours: 7 * 24 },
  { value: "14d", text: "2 weeks", hours: 14 * 24 },
] as const;

/** Three days; for what lives longer than that already, the first choice that gives it more. */
export function longerThan(end: string | null, now = Date.now()): string {
  const left = end === null ? 0 : Date.parse(end) - now;
  return CHOICES.find(({ hours }) => hours >= 72 && hours * 3_600_000 > left)?.value ?? "14d";
}

/** How long from now, and which moment that is. */
export function Lifetime({ value, onChange }: { readonly value: string; readonly onChange: (value: string) => void }) {
  const now = useNow();
  const hours = CHOICES.find((choice) => choice.value === value)?.hours ?? 0;
  return (
    <Field
      label="Lives for"
      hint={`It is deleted ${onDay(new Date(now + hours * 3_600_000).toISOString(), now)}. It can be extended before.`}
    >
      {(control) => (
        <select {...control} value={value} onChange={({ target }) => onChange(target.value)}>
          {CHOICES.map(({ value: each, text }) => (
            <option key={each} value={each}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
