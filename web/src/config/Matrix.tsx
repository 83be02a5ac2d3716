import { useRef } from "react";
import type { Config, Environment, Revision } from "../api.ts";
import { Scroll } from "../components/Scroll.tsx";
import { ShowMore, useFirst } from "../components/ShowMore.tsx";
import { Ago } from "../components/Time.tsx";
import styles from "./Matrix.module.css";
import { type Origins, originInWords } from "./origins.ts";

export interface Key {
  readonly kind: "vars" | "secrets" | "flags";
  readonly name: string;
}

/** An environment with what is bound to it. */
export interface Place {
  readonly environment: Environment;
  readonly config: Config;
  /** `null` until it is known. */
  readonly origins: Origins | null;
}

const KINDS = ["vars", "secrets", "flags"] as const;
const HEADINGS: Readonly<Record<Key["kind"], string>> = { vars: "Values", secrets: "Passwords kept in the vault", flags: "Feature flags" };

/** What a config has for a key; `undefined` where it has nothing, be the key's name one that every object knows, as `toString` is. */
export function boundIn(config: Config, { kind, name }: Key): unknown {
  return Object.hasOwn(config[kind], name) ? config[kind][name] : undefined;
}

/** Every key that any of the places has, or needs. */
export function keysOf(places: readonly Pick<Place, "config" | "environment">[]): readonly Key[] {
  const found = new Map<string, Key>();
  for (const { config, environment } of places) {
    for (const kind of KINDS) for (const name of Object.keys(config[kind])) found.set(`${kind}/${name}`, { kind, name });
    for (const needed of environment.unbound) {
      const slash = needed.indexOf("/");
      found.set(needed, { kind: needed.slice(0, slash) as Key["kind"], name: needed.slice(slash + 1) });
    }
  }
  return [...found.values()].sort(
    (left, right) => KINDS.indexOf(left.kind) - KINDS.indexOf(right.kind) || (left.name < right.name ? -1 : 1),
  );
}

/** Keys shown at a time: a browser takes seconds to show thousands, and again for each letter that is looked for. */
const SHOWN = 100;

interface MatrixProps {
  readonly keys: readonly Key[];
  readonly columns: readonly Place[];
  readonly onEdit: (key: Key, env: string) => void;
}

/** Keys down, environments across. Each cell says what is there, and opens what changes it. */
export function Matrix({ keys, columns, onEdit }: MatrixProps) {
  const first = useFirst(SHOWN);
  const shown = keys.slice(0, first.count);
  const scroller = useRef<HTMLElement>(null);
  return (
    <>
      <Scroll ref={scroller} label="Configuration of each environment" className={styles.scroll}>
        <table className={`${styles.table} stacks`}>
          <caption className="visually-hidden">Configuration: a row for each key, a column for each environment</caption>
          <thead>
            <tr>
              <th scope="col">Key</th>
              {columns.map(({ environment: { env, version } }) => (
                <th key={env} scope="col">
                  {env} <span className={styles.soft}>{version}</span>
                </th>
              ))}
            </tr>
          </thead>
          {KINDS.map((kind) => {
            const rows = shown.filter((key) => key.kind === kind);
            if (rows.length === 0) return null;
            return (
              <tbody key={kind}>
                <tr>
                  <th scope="rowgroup" colSpan={columns.length + 1} className={styles.group}>
                    {HEADINGS[kind]}
                  </th>
                </tr>
                {rows.map((key) => (
                  <tr key={key.name}>
                    <th scope="row" className={styles.name}>
                      {key.name}
                    </th>
                    {columns.map(({ environment, config, origins }) => (
                      <td key={environment.env} data-title={environment.env}>
                        <button type="button" className={styles.cell} onClick={() => onEdit(key, environment.env)}>
                          <Shown of={key} config={config} environment={environment} />
                          {boundIn(config, key) !== undefined && <From origin={origins?.(key)} environment={environment} />}
                          <span className="visually-hidden">
                            , change {key.name} in {environment.env}
                          </span>
                        </button>
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            );
          })}
        </table>
      </Scroll>
      <ShowMore first={first} total={keys.length} what="keys" within={scroller} each="tr:has(> th[scope=row])" />
    </>
  );
}

function Shown({ of, config, environment }: { readonly of: Key; readonly config: Config; readonly environment: Environment }) {
  const { kind, name } = of;
  const isNeeded = environment.unbound.includes(`${kind}/${name}`);
  const bound = boundIn(config, of);
  if (bound === undefined)
    return <span className={isNeeded ? styles.needed : styles.soft}>{isNeeded ? "needed, not set" : "not set"}</span>;
  if (kind === "secrets") return <span>•••••• set</span>;
  if (kind === "vars") return <span className={styles.value}>{bound === "" ? "(empty)" : String(bound)}</span>;
  return <span>{flagInWords(bound)}</span>;
}

function From({ origin, environment }: { readonly origin: Revision | undefined; readonly environment: Environment }) {
  if (origin === undefined) return null;
  return (
    <span className={styles.from}>
      {originInWords(origin, environment)}, <Ago at={origin.timestamp} />
    </span>
  );
}

/** `on for everybody`, `by rules, else off`, `switched off`. */
export function flagInWords(flag: unknown): string {
  const { state, defaultVariant, targeting, variants } = (flag ?? {}) as {
    state?: string;
    defaultVariant?: string | null;
    targeting?: object;
    variants?: Record<string, unknown>;
  };
  if (state === "DISABLED") return "switched off";
  const value = defaultVariant == null ? "the code’s own default" : inWords(variants?.[defaultVariant], defaultVariant);
  const hasRules = targeting !== undefined && Object.keys(targeting).length > 0;
  return hasRules ? `by rules, else ${value}` : `${value} for everybody`;
}

function inWords(value: unknown, variant: string): string {
  return typeof value === "boolean" ? (value ? "on" : "off") : `“${variant}”`;
}
