import { useQueryClient } from "@tanstack/react-query";
import { api, type Environment } from "../api.ts";
import { useAction } from "../useAction.ts";
import { useAnnounce } from "./Announcer.tsx";
import { Button } from "./Button.tsx";
import { focusTitle } from "./focus.ts";
import { Failure } from "./States.tsx";

/** Lets automatic promotions in again. */
export function Resume({ environment: { project_id: project, env } }: { readonly environment: Environment }) {
  const queries = useQueryClient();
  const announce = useAnnounce();
  const resume = useAction({
    mutationFn: () => api.resumeEnvironment({ project_id: project, env }),
    onSuccess: async () => {
      announce(`${env} takes automatic promotions again.`);
      focusTitle();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  return (
    <>
      <Button busy={resume.isPending} onClick={() => resume.act()}>
        Resume
      </Button>
      {resume.isError && <Failure error={resume.error} what="resume" />}
    </>
  );
}
