import type { Json } from "../ports.ts";

export type Shape =
  | { readonly kind: "literal"; readonly value: Json }
  | { readonly kind: "list"; readonly items: readonly Json[] }
  | { readonly kind: "reference"; readonly name: string }
  | { readonly kind: "operation"; readonly operator: string; readonly args: readonly Json[]; readonly inList: boolean }
  | { readonly kind: "ambiguous"; readonly members: number };

/** What a piece of a targeting rule is. An object is one operator with its arguments, or `{"$ref": "name"}`. */
export function shapeOf(rule: Json): Shape {
  if (isList(rule)) return { kind: "list", items: rule };
  if (typeof rule !== "object" || rule === null) return { kind: "literal", value: rule };
  const [first, ...more] = Object.keys(rule);
  if (first === undefined || more.length > 0) return { kind: "ambiguous", members: more.length + (first === undefined ? 0 : 1) };
  const content = rule[first] ?? null;
  if (first === "$ref" && typeof content === "string") return { kind: "reference", name: content };
  return { kind: "operation", operator: first, args: isList(content) ? content : [content], inList: isList(content) };
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
