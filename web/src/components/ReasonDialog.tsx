import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { useAction } from "../useAction.ts";
import { useAnnounce } from "./Announcer.tsx";
import { Button } from "./Button.tsx";
import { Dialog, DialogActions } from "./Dialog.tsx";
import { Field } from "./Field.tsx";
import { Failure } from "./States.tsx";

interface ReasonDialogProps {
  readonly title: string;
  readonly project: string;
  readonly act: (reason: string) => Promise<unknown>;
  /** Said when it is done. */
  readonly done: string;
  readonly onClose: () => void;
  /** What it means. */
  readonly children?: ReactNode;
}

/** Asks why before something is done; the reason stays in the history. */
export function ReasonDialog({ title, project, act, done, onClose, children }: ReasonDialogProps) {
  const [reason, setReason] = useState("");
  const announce = useAnnounce();
  const queries = useQueryClient();
  const mutation = useAction({
    mutationFn: () => act(reason.trim()),
    onSuccess: async () => {
      announce(done);
      onClose();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    mutation.act();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit} className="form">
        {children !== undefined && <p>{children}</p>}
        <Field label="Why" hint="Kept in the history, for everybody who looks there later.">
          {(control) => (
            <textarea {...control} rows={3} required maxLength={2_000} value={reason} onChange={({ target }) => setReason(target.value)} />
          )}
        </Field>
        {mutation.isError && <Failure error={mutation.error} what="do that" />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={mutation.isPending} disabled={reason.trim() === ""}>
            {title}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
