/** A flag as flagd defines it, as far as it is looked into here. */
export interface Definition {
  readonly state?: string;
  readonly variants?: Readonly<Record<string, unknown>>;
  readonly defaultVariant?: string | null;
  readonly targeting?: object;
}

/** On and off of a boolean flag that is there keep its variants and rules, and choose its default. */
export function switched(present: unknown, value: unknown): unknown {
  if (typeof value !== "boolean" || present === undefined) return value;
  const { variants = {} } = present as Definition;
  const variant = Object.entries(variants).find(([, held]) => held === value)?.[0];
  if (variant === undefined) return value;
  return { ...(present as Definition), state: "ENABLED", defaultVariant: variant };
}
