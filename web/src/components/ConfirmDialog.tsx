import { type QueryKey, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useAction } from "../useAction.ts";
import { useAnnounce } from "./Announcer.tsx";
import { Button } from "./Button.tsx";
import { Dialog, DialogActions } from "./Dialog.tsx";
import { Failure } from "./States.tsx";

interface ConfirmDialogProps {
  readonly title: string;
  /** On the button. */
  readonly verb: string;
  readonly act: () => Promise<unknown>;
  /** Said when it is done. */
  readonly done: string;
  /** What was read and is old then. */
  readonly changes: QueryKey;
  readonly onClose: () => void;
  /** What it means. */
  readonly children: ReactNode;
}

/** Asks once more before something that cannot be taken back. */
export function ConfirmDialog({ title, verb, act, done, changes, onClose, children }: ConfirmDialogProps) {
  const announce = useAnnounce();
  const queries = useQueryClient();
  const action = useAction({
    mutationFn: act,
    onSuccess: async () => {
      announce(done);
      onClose();
      await queries.invalidateQueries({ queryKey: changes });
    },
  });
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{children}</p>
      {action.isError && <Failure error={action.error} what="do that" />}
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button look="danger" busy={action.isPending} onClick={() => action.act()}>
          {verb}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
