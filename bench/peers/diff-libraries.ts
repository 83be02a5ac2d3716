import jsonPatch from "fast-json-patch";
import { expectChanges, SIZE, twoVersions, WORK } from "../diffs.ts";
import { alternate, inTurn, ms, type Row, ratioRow, timed, timesFaster } from "../measure.ts";
import { installedEngineVersion, loadPeer, named } from "./packages.ts";

const TURNS = 5;
const WARM_UP = 300;

interface Microdiff {
  readonly default: (before: object, after: object) => readonly unknown[];
}
interface JsonDiffPatch {
  readonly diff: (before: object, after: object) => object | undefined;
}

const ABOUT = `The library has both states of ${SIZE.toLocaleString("en")} components in memory, as deep copies, and looks at each of them. Ours has two roots, reads the nodes on the way to what differs from its database, with empty caches, and names the components; it does not say which members within one changed, as the library does.`;

/** Libraries that compare JSON, beside a diff of two versions with nothing cached. */
export async function diffLibraries(): Promise<Row[]> {
  return twoVersions(async ({ before, after, cold }) => {
    await timed(WARM_UP, cold);
    const row = async (id: string, baseline: string, compare: () => unknown): Promise<Row> => {
      const pairs = await alternate(
        TURNS,
        () => timed(30, cold),
        () => timed(3, compare),
      );
      return ratioRow({
        id,
        work: WORK,
        subject: "diff, nothing cached",
        baseline,
        pairs,
        unit: ms,
        ratio: timesFaster,
        goal: null,
        about: ABOUT,
      });
    };
    return inTurn({
      "diff-fast-json-patch": () =>
        row("diff-fast-json-patch", `fast-json-patch ${installedEngineVersion("fast-json-patch")}`, () =>
          expectChanges(jsonPatch.compare(before, after).length),
        ),
      "diff-microdiff": async () => {
        const { default: diff } = await loadPeer<Microdiff>("microdiff");
        return row("diff-microdiff", named("microdiff"), () => expectChanges(diff(before, after).length));
      },
      "diff-jsondiffpatch": async () => {
        const { diff } = await loadPeer<JsonDiffPatch>("jsondiffpatch");
        return row("diff-jsondiffpatch", named("jsondiffpatch"), () => {
          if (diff(before, after) === undefined) throw new Error("jsondiffpatch finds no difference");
        });
      },
    });
  });
}
