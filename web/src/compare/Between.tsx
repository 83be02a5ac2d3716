import { LinkButton } from "../components/Button.tsx";
import { Notice } from "../components/Notice.tsx";
import { mergeQuery, readinessQuery } from "../queries.ts";
import { useRead } from "../useRead.ts";
import { keyInWords, listed, plural } from "../words.ts";

interface BetweenProps {
  readonly project: string;
  readonly left: string;
  readonly right: string;
}

/** What a promotion from the left to the right would meet: what both sides changed, and keys that the right side lacks. */
export function Between({ project, left, right }: BetweenProps) {
  // Where the two have nothing in common, or may not be asked for, there is nothing to say of both.
  const conflicts = useRead(mergeQuery(project, left, right)).data?.conflicts ?? [];
  const plan = useRead(readinessQuery(project, left, right)).data;
  const missing = (plan?.checks.find(({ name }) => name === "config_complete")?.details?.unbound ?? []) as readonly string[];
  return (
    <>
      {conflicts.length > 0 && (
        <Notice
          tone="warn"
          title={`${plural(conflicts.length, "component was", "components were")} changed on both sides, in ways that do not go together`}
        >
          <p>
            {listed(
              conflicts.map(({ component }) => component),
              8,
            )}
            . A promotion asks of each whose side to keep.
          </p>
        </Notice>
      )}
      {missing.length > 0 && (
        <Notice
          tone="warn"
          title={`${right} lacks ${plural(missing.length, "value")} that the version of ${left} needs`}
          actions={<LinkButton to={`/projects/${project}/config?env=${right}`}>Set the values</LinkButton>}
        >
          <p>
            {listed(
              missing.map((key) => keyInWords(key).name),
              8,
            )}
            .
          </p>
        </Notice>
      )}
    </>
  );
}
