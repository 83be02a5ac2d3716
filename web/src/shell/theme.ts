import { useSyncExternalStore } from "react";

/** Light, dark, or as the machine has it. Kept in this browser alone. */

export const THEMES = [
  { value: "system", text: "Looks like the system" },
  { value: "light", text: "Light" },
  { value: "dark", text: "Dark" },
] as const;

type Theme = (typeof THEMES)[number]["value"];

const KEY = "envm.theme";
const listeners = new Set<() => void>();

function kept(): Theme {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}

/** Before the first paint, and whenever somebody chooses. */
export function applyTheme(theme: Theme = kept()): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const theme = useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, kept);
  return [
    theme,
    (chosen) => {
      if (chosen === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, chosen);
      applyTheme(chosen);
      for (const tell of listeners) tell();
    },
  ];
}
