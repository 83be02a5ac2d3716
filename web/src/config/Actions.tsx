import { Button } from "../components/Button.tsx";
import { DialogActions } from "../components/Dialog.tsx";

export interface FormProps<Value> {
  readonly name: string;
  readonly busy: boolean;
  /** Whether whoever looks may change it. */
  readonly canSave: boolean;
  readonly onSave: (value: Value) => void;
  readonly onCancel: () => void;
}

interface ActionsProps {
  readonly name: string;
  readonly busy: boolean;
  readonly disabled: boolean;
  readonly onCancel: () => void;
}

export function Actions({ name, busy, disabled, onCancel }: ActionsProps) {
  return (
    <DialogActions>
      <Button onClick={onCancel}>Cancel</Button>
      <Button type="submit" look="primary" busy={busy} disabled={disabled}>
        Save {name}
      </Button>
    </DialogActions>
  );
}
