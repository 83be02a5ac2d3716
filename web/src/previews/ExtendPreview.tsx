import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Button } from "../components/Button.tsx";
import { Dialog, DialogActions } from "../components/Dialog.tsx";
import { Failure } from "../components/States.tsx";
import { exactTime } from "../time.ts";
import { useAction } from "../useAction.ts";
import { Lifetime, longerThan } from "./Lifetime.tsx";

interface ExtendPreviewProps {
  readonly project: string;
  readonly env: string;
  /** When it ends as it is. */
  readonly expiresAt: string | null;
  readonly onClose: () => void;
}

export function ExtendPreview({ project, env, expiresAt, onClose }: ExtendPreviewProps) {
  const [lifetime, setLifetime] = useState(() => longerThan(expiresAt));
  const announce = useAnnounce();
  const queries = useQueryClient();
  const extend = useAction({
    mutationFn: () => api.extendEnvironment({ project_id: project, env, expires_in: lifetime }),
    onSuccess: async ({ expires_at }) => {
      announce(expires_at === null ? `${env} goes on.` : `${env} goes on until ${exactTime(expires_at)}.`);
      onClose();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    extend.act();
  };
  return (
    <Dialog title={`Extend ${env}`} onClose={onClose}>
      <form onSubmit={submit} className="form">
        <Lifetime value={lifetime} onChange={setLifetime} />
        {extend.isError && <Failure error={extend.error} what="extend it" />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={extend.isPending}>
            Extend {env}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
