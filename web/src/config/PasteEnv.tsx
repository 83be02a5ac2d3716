import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { DotenvError, readDotenv } from "../../../src/dotenv/read.ts";
import { api, type Config, type Environment } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Badge } from "../components/Badge.tsx";
import { Button } from "../components/Button.tsx";
import { Dialog, DialogActions } from "../components/Dialog.tsx";
import { Field } from "../components/Field.tsx";
import { Failure } from "../components/States.tsx";
import { useAction } from "../useAction.ts";
import { plural } from "../words.ts";
import styles from "./PasteEnv.module.css";

interface PasteEnvProps {
  readonly project: string;
  readonly environments: readonly Environment[];
  readonly onClose: () => void;
}

type Values = Readonly<Record<string, string>>;

/** A .env file: what it would do comes first, with what is kept as a password; then it is done, all or nothing. */
export function PasteEnv({ project, environments, onClose }: PasteEnvProps) {
  const [text, setText] = useState("");
  const [env, setEnv] = useState(environments[0]?.env ?? "");
  const read = useMemo(() => readText(text), [text]);
  const announce = useAnnounce();
  const queries = useQueryClient();
  const plan = useAction({
    mutationFn: async (values: Values) => {
      const present = await api.answer("getConfig", { project, env });
      const ifMatch = present.etag ?? undefined;
      const planned = await api.patchConfig({ project, env, env_variables: values, dry_run: true, ifMatch });
      return { values, env, tag: present.etag, rows: rowsOf(values, planned.stored?.secrets ?? [], present.body) };
    },
  });
  const apply = useAction({
    mutationFn: ({ values, tag }: { readonly values: Values; readonly tag: string | null }) =>
      api.patchConfig({ project, env, env_variables: values, message: "From a .env file", ...(tag !== null && { ifMatch: tag }) }),
    onSuccess: async ({ version }) => {
      announce(`${env} is ${version} now.`);
      onClose();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
    // What was shown is not what would happen any more.
    onError: () => plan.reset(),
  });
  const change = (part: { readonly text?: string; readonly env?: string }) => {
    if (part.text !== undefined) setText(part.text);
    if (part.env !== undefined) setEnv(part.env);
    plan.reset();
    apply.reset();
  };
  return (
    <Dialog title="Paste a .env file" onClose={onClose} wide>
      <Field label="Into">
        {(control) => (
          <select {...control} value={env} onChange={({ target }) => change({ env: target.value })}>
            {environments.map((each) => (
              <option key={each.env} value={each.env}>
                {each.env}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field
        label="The file"
        hint="NAME=value, a line for each. Quotes, several lines, comments and “export” are understood."
        error={read.fault}
      >
        {(control) => (
          <textarea
            {...control}
            rows={8}
            spellCheck={false}
            autoComplete="off"
            value={text}
            onChange={({ target }) => change({ text: target.value })}
          />
        )}
      </Field>
      {plan.isError && <Failure error={plan.error} what="plan that" />}
      {apply.isError && <Failure error={apply.error} what="save that" />}
      {plan.isSuccess && <Plan rows={plan.data.rows} env={plan.data.env} />}
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        {plan.isSuccess ? (
          <Button
            look="primary"
            busy={apply.isPending}
            disabled={plan.data.rows.every(({ happens }) => happens === "same")}
            onClick={() => apply.act(plan.data)}
          >
            Save into {env}
          </Button>
        ) : (
          <Button
            look="primary"
            busy={plan.isPending}
            disabled={read.values === null || Object.keys(read.values).length === 0}
            onClick={() => {
              apply.reset();
              if (read.values !== null) plan.act(read.values);
            }}
          >
            Show what it does
          </Button>
        )}
      </DialogActions>
    </Dialog>
  );
}

interface Row {
  readonly name: string;
  readonly happens: "new" | "changed" | "same";
  readonly isSecret: boolean;
}

/** A password that is set already counts as changed: nobody is told whether its value is another. */
function rowsOf(values: Values, secrets: readonly string[], present: Config | null): readonly Row[] {
  return Object.entries(values).map(([name, value]) => {
    const isSecret = secrets.includes(name);
    const isThere = present?.vars[name] !== undefined || present?.secrets[name] !== undefined;
    return { name, isSecret, happens: !isThere ? "new" : !isSecret && present?.vars[name] === value ? "same" : "changed" };
  });
}

function Plan({ rows, env }: { readonly rows: readonly Row[]; readonly env: string }) {
  const count = (wanted: Row["happens"]) => rows.filter(({ happens }) => happens === wanted).length;
  return (
    <div role="status">
      <p>
        In {env}: {plural(count("new"), "key")} new, {count("changed")} changed, {count("same")} the same.
      </p>
      <ul className={styles.rows}>
        {rows.map(({ name, happens, isSecret }) => (
          <li key={name}>
            <code>{name}</code> <Badge tone={happens === "same" ? "plain" : "info"}>{happens}</Badge>
            {isSecret && " a password, kept in the vault"}
          </li>
        ))}
      </ul>
    </div>
  );
}

function readText(text: string): { readonly values: Values | null; readonly fault: string | null } {
  try {
    return { values: Object.fromEntries(readDotenv(text).values), fault: null };
  } catch (error) {
    if (!(error instanceof DotenvError)) throw error;
    return { values: null, fault: `${error.message[0]?.toUpperCase()}${error.message.slice(1)}. ${error.fix}` };
  }
}
