import { type ReactNode, useEffect, useRef, useState } from "react";
import { Field } from "./Field.tsx";

interface SearchFieldProps {
  readonly label: string;
  readonly hint?: ReactNode;
  /** What the address says is looked for. */
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/**
 * What is looked for, which the address keeps. The field shows what was typed, and the address follows when the page has time for it: if
 * the field waited for the address, letters that are typed faster than the page is drawn would be lost.
 */
export function SearchField({ label, hint, value, onChange }: SearchFieldProps) {
  const [typed, setTyped] = useState(value);
  const input = useRef<HTMLInputElement>(null);
  // Somebody went back, or followed a link: what is being typed is newer than that.
  useEffect(() => {
    if (document.activeElement !== input.current) setTyped(value);
  }, [value]);
  return (
    <Field label={label} hint={hint}>
      {(control) => (
        <input
          {...control}
          ref={input}
          type="search"
          value={typed}
          onChange={({ target }) => {
            setTyped(target.value);
            onChange(target.value);
          }}
        />
      )}
    </Field>
  );
}

/** What the address says now, which is what the next filter is added to: the page may not have been drawn for it yet. */
export function currentQuery(): URLSearchParams {
  return new URLSearchParams(window.location.search);
}
