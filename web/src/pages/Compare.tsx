import { useId, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import type { Comparison, Environment } from "../api.ts";
import { Between } from "../compare/Between.tsx";
import { Differences, type Kind } from "../compare/Differences.tsx";
import { LinkButton } from "../components/Button.tsx";
import { Field } from "../components/Field.tsx";
import { Page } from "../components/Page.tsx";
import { Panel, Technical } from "../components/Panel.tsx";
import { Empty, Failure, Loading } from "../components/States.tsx";
import { Moment } from "../components/Time.tsx";
import { useEnvironments } from "../policy.ts";
import { compareQuery } from "../queries.ts";
import { useMay } from "../rights.ts";
import { useRead } from "../useRead.ts";
import { plural } from "../words.ts";
import styles from "./Compare.module.css";

/** Any two sides, at any time: what differs, and nothing else. */
export default function Compare() {
  const { project = "" } = useParams();
  const [query, setQuery] = useSearchParams();
  const { environments, active } = useEnvironments(project);
  const [left, right] = [query.get("left") ?? active[0]?.env ?? "", query.get("right") ?? active[1]?.env ?? ""];
  const choose = (side: "left" | "right", value: string) => {
    const next = new URLSearchParams({ left, right });
    next.set(side, value);
    setQuery(next);
  };
  return (
    <Page title="Compare" lead="Two environments, or two moments of one. Only what differs is shown.">
      <div className={styles.sides}>
        <Side key={`left${left}`} label="Left" value={left} environments={active} onChange={(value) => choose("left", value)} />
        <Side key={`right${right}`} label="Right" value={right} environments={active} onChange={(value) => choose("right", value)} />
      </div>
      {environments.isError && (
        <Failure error={environments.error} what="load the environments" onRetry={() => void environments.refetch()} />
      )}
      {left !== "" && right !== "" ? (
        <Result project={project} left={left} right={right} environments={active} />
      ) : (
        environments.isSuccess && (
          <Empty title="Two environments are needed">Create another one, or compare two moments of one: staging@v1.2.0.</Empty>
        )
      )}
    </Page>
  );
}

interface SideProps {
  readonly label: string;
  readonly value: string;
  readonly environments: readonly Environment[];
  readonly onChange: (value: string) => void;
}

/** An environment, and the moment of it: now, a version, a revision, or a time. */
function Side({ label, value, environments, onChange }: SideProps) {
  const at = value.indexOf("@");
  const env = at < 0 ? value : value.slice(0, at);
  const [moment, setMoment] = useState(at < 0 ? "" : value.slice(at + 1));
  const commit = () => onChange(moment.trim() === "" ? env : `${env}@${moment.trim()}`);
  return (
    <fieldset className={styles.side}>
      <legend className="visually-hidden">{label} side</legend>
      <Field label={label}>
        {(control) => (
          <select {...control} value={env} onChange={({ target }) => onChange(target.value)}>
            {environments.every((each) => each.env !== env) && <option value={env}>{env === "" ? "Choose" : env}</option>}
            {environments.map((each) => (
              <option key={each.env} value={each.env}>
                {each.env}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="As of" hint="Now; or a version (v2.3), a revision (12), or a time.">
        {(control) => (
          <input
            {...control}
            placeholder="now"
            value={moment}
            onChange={({ target }) => setMoment(target.value)}
            onBlur={commit}
            onKeyDown={({ key }) => key === "Enter" && commit()}
          />
        )}
      </Field>
    </fieldset>
  );
}

const KINDS: readonly Kind[] = ["components", "vars", "flags", "evaluators", "flag_metadata", "secrets"];
const TITLES: Readonly<Record<Kind, string>> = {
  components: "Platform",
  vars: "Values",
  flags: "Feature flags",
  evaluators: "Rules that flags share",
  flag_metadata: "Notes on flags",
  secrets: "Passwords",
};

/** Told also where nothing differs. */
const ALWAYS: readonly Kind[] = ["components", "vars", "flags", "secrets"];

interface ResultProps {
  readonly project: string;
  readonly left: string;
  readonly right: string;
  readonly environments: readonly Environment[];
}

function Result({ project, left, right, environments }: ResultProps) {
  const comparison = useRead(compareQuery(project, left, right));
  if (comparison.isPending) return <Loading what="the comparison" />;
  if (comparison.isError) return <Failure error={comparison.error} what="compare" onRetry={() => void comparison.refetch()} />;
  const isNow = !left.includes("@") && !right.includes("@");
  return (
    <>
      {isNow && left !== right && <Between project={project} left={left} right={right} />}
      <Compared
        project={project}
        comparison={comparison.data}
        swapped={`?${new URLSearchParams({ left: right, right: left })}`}
        isOld={environments.some(({ env, version }) => env === comparison.data.left.env && version !== comparison.data.left.version)}
      />
    </>
  );
}

interface ComparedProps {
  readonly project: string;
  readonly comparison: Comparison;
  /** The address of the same two sides, the other way round. */
  readonly swapped: string;
  /** Whether the left side is of a version that its environment has left behind: what is promoted then is that one. */
  readonly isOld: boolean;
}

function Compared({ project, comparison, swapped, isOld }: ComparedProps) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const heading = useId();
  const { left, right } = comparison;
  const may = useMay(project);
  const total = KINDS.reduce((sum, kind) => sum + countOf(comparison[kind]), 0);
  const hidden = KINDS.reduce((sum, kind) => sum + hiddenOf(comparison[kind]), 0);
  const between = left.env !== right.env;
  const mayPromote = may("promote", right.env);
  return (
    <>
      <section aria-labelledby={heading} className={styles.counts}>
        <h2 id={heading}>
          {total > 0 ? plural(total, "difference") : hidden > 0 ? "No difference that is told to you" : "Both sides are the same"}
        </h2>
        <ul className="row">
          {KINDS.filter((kind) => ALWAYS.includes(kind) || countOf(comparison[kind]) > 0).map((kind) => (
            <li key={kind}>
              {isTold(comparison[kind]) ? (
                <a href={`#${kind}`}>
                  {TITLES[kind]}: {inWords(comparison[kind])}
                </a>
              ) : (
                <span className={styles.soft}>{TITLES[kind]}: same</span>
              )}
            </li>
          ))}
        </ul>
        <p className={styles.soft}>
          {left.env} {left.version} (<Moment at={left.timestamp} />) and {right.env} {right.version} (<Moment at={right.timestamp} />)
        </p>
        {between && (
          <div className="row">
            {mayPromote && (
              <LinkButton
                look={chosen.size > 0 ? "primary" : "secondary"}
                to={promoteAddress(project, { from: left.env, to: right.env, ...(isOld && { version: left.version }) }, chosen)}
              >
                {chosen.size > 0
                  ? `Promote ${chosen.size} selected to ${right.env} …`
                  : `Promote ${isOld ? `${left.version} from` : "all of"} ${left.env} to ${right.env} …`}
              </LinkButton>
            )}
            <Link to={swapped}>Swap sides</Link>
          </div>
        )}
      </section>
      {KINDS.filter((kind) => isTold(comparison[kind])).map((kind) => (
        <div key={kind} id={kind}>
          <Panel title={TITLES[kind]}>
            <Differences
              project={project}
              kind={kind}
              left={left}
              right={right}
              differences={comparison[kind]}
              chosen={kind === "components" && between && mayPromote ? chosen : null}
              onChoose={setChosen}
            />
          </Panel>
        </div>
      ))}
      <Technical>
        <p>
          <code>{left.snapshot}</code> is revision {left.revision} of {left.env}; <code>{right.snapshot}</code> is revision {right.revision}{" "}
          of {right.env}.
        </p>
      </Technical>
    </>
  );
}

function countOf({ only_left, only_right, different, omitted = 0 }: Comparison["vars"]): number {
  return only_left.length + only_right.length + different.length + omitted;
}

/** Passwords of which it is not told whether they are the same on both sides. */
function hiddenOf({ undisclosed = [] }: Comparison["vars"]): number {
  return undisclosed.length;
}

function isTold(differences: Comparison["vars"]): boolean {
  return countOf(differences) + hiddenOf(differences) > 0;
}

/** `3`, `3, and 2 not told`, `2 not told`: what is not told is not the same for that. */
function inWords(differences: Comparison["vars"]): string {
  const [count, hidden] = [countOf(differences), hiddenOf(differences)];
  if (hidden === 0) return String(count);
  return count === 0 ? `${hidden} not told` : `${count}, and ${hidden} not told`;
}

function promoteAddress(project: string, ends: Readonly<Record<string, string>>, only: ReadonlySet<string>): string {
  const query = new URLSearchParams(ends);
  for (const name of only) query.append("only", name);
  return `/projects/${project}/promote?${query}`;
}
