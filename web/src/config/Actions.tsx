import { Button } from "../components/Button.tsx";
import { DialogActions } from "../components/Dialog.tsx";

export interface FormProps<Value> {
  readonly name: string;
  readonly busy: boolean;
  /** Whether it takes the place of what somebody else saved meanwhile, as whoever saves was told. */
  readonly isAnyway: boolean;
  /** Whether whoever looks may change it. */
  readonly canSave: boolean;
  readonly onSave: (value: Value) => void;
  readonly onCancel: () => void;
}

interface ActionsProps extends Pick<FormProps<never>, "name" | "busy" | "isAnyway" | "onCancel"> {
  readonly disabled: boolean;
}

export function Actions({ name, busy, isAnyway, disabled, onCancel }: ActionsProps) {
  return (
    <DialogActions>
      <Button onClick={onCancel}>Cancel</Button>
      <Button type="submit" look="primary" busy={busy} disabled={disabled}>
        Save {name}
        {isAnyway && " anyway"}
      </Button>
    </DialogActions>
  );
}
