import { History } from "../../../src/repositories/history.ts";
import { ProjectRepositories } from "../../../src/repositories/project-repositories.ts";
import { Snapshots } from "../../../src/snapshots.ts";
import { openForReading } from "../../../src/storage/open.ts";

/** Makes the repository of a project, a few records at a time, and says so before each of them: `follower.ts <store> <folder> <project>`. */
class ToldHistory extends History {
  override async after(...given: Parameters<History["after"]>): ReturnType<History["after"]> {
    const page = await super.after(...given);
    process.stdout.write("page\n");
    return page;
  }
}

const [url = "", folder = "", project = ""] = process.argv.slice(2);
const store = await openForReading(url);
const history = new ToldHistory(store, new Snapshots(store), 2);
await new ProjectRepositories({ folder, history }).current(project);
process.stdout.write("done\n");
await store.close();
