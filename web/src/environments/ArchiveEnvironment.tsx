import { useQueryClient } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { api, type Environment } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Button } from "../components/Button.tsx";
import { Dialog, DialogActions } from "../components/Dialog.tsx";
import { useSayingSo } from "../components/SayingSo.tsx";
import { Failure } from "../components/States.tsx";
import { useAction } from "../useAction.ts";

/** Puts an environment away: what that ends, what it leaves as it is, and until when it can be brought back. */
export function ArchiveEnvironment({ environment, onClose }: { readonly environment: Environment; readonly onClose: () => void }) {
  const { project_id: project, env } = environment;
  const { fields, isSaid, word } = useSayingSo(environment);
  const announce = useAnnounce();
  const queries = useQueryClient();
  const archive = useAction({
    mutationFn: () => api.archiveEnvironment({ project_id: project, env, ...(word.message !== undefined && { reason: word.message }) }),
    onSuccess: async () => {
      announce(`${env} was archived.`);
      onClose();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isSaid) archive.act();
  };
  return (
    <Dialog title={`Archive ${env}?`} onClose={onClose}>
      <form onSubmit={submit} className="form">
        <p>
          It takes no changes and no promotions any more. What runs there is not stopped by that, its history stays, and its name stays
          taken. For 90 days it can be brought back as it is; then its passwords leave the vault.
        </p>
        {fields}
        {archive.isError && <Failure error={archive.error} what={`archive ${env}`} />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="danger" busy={archive.isPending} disabled={!isSaid}>
            Archive {env}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
