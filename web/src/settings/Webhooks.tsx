import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Badge } from "../components/Badge.tsx";
import { Button } from "../components/Button.tsx";
import { ConfirmDialog } from "../components/ConfirmDialog.tsx";
import { Dialog, DialogActions } from "../components/Dialog.tsx";
import { Field } from "../components/Field.tsx";
import { Panel } from "../components/Panel.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { Table } from "../components/Table.tsx";
import { Ago } from "../components/Time.tsx";
import { deliveriesQuery, webhooksQuery } from "../queries.ts";
import { useAction } from "../useAction.ts";
import { useRead } from "../useRead.ts";
import { namesIn } from "../words.ts";
import { ShownOnce } from "./ShownOnce.tsx";

/** Addresses elsewhere that are told of what happens, with what became of each delivery. */
export function Webhooks({ project }: { readonly project: string }) {
  const [dialog, setDialog] = useState<{ readonly kind: "new" } | { readonly kind: "log" | "delete"; readonly id: string } | null>(null);
  const webhooks = useRead(webhooksQuery(project));
  const announce = useAnnounce();
  const queries = useQueryClient();
  const again = () => queries.invalidateQueries({ queryKey: ["project", project] });
  const ping = useAction({
    mutationFn: (id: string) => api.pingWebhook({ project, id }),
    onSuccess: async () => {
      announce("A test event was sent. What became of it stands in the deliveries.");
      await again();
    },
  });
  const activate = useAction({
    mutationFn: ({ id, active }: { readonly id: string; readonly active: boolean }) => api.patchWebhook({ project, id, active }),
    onSuccess: again,
  });
  const failure = ping.error ?? activate.error;
  return (
    <Panel
      title="Webhooks"
      actions={
        <Button small onClick={() => setDialog({ kind: "new" })}>
          New webhook …
        </Button>
      }
    >
      {webhooks.isPending && <Loading what="the webhooks" />}
      {webhooks.isError && <Failure error={webhooks.error} what="load the webhooks" onRetry={() => void webhooks.refetch()} />}
      {failure !== null && <Failure error={failure} what="do that" />}
      {webhooks.data?.items.length === 0 && <p>None yet. A webhook tells another program of what happens here.</p>}
      {webhooks.data !== undefined && webhooks.data.items.length > 0 && (
        <Table
          caption="Webhooks"
          rows={webhooks.data.items}
          keyOf={({ id }) => id}
          columns={[
            { title: "Address", cell: ({ url, description }) => `${url}${description === "" ? "" : ` (${description})`}` },
            { title: "Hears of", cell: ({ events, envs }) => `${events.join(", ")} in ${envs.join(", ")}` },
            {
              title: "State",
              cell: ({ active, disabled }) => (
                <>
                  <Badge tone={active ? "good" : disabled === null ? "plain" : "bad"}>{active ? "On" : "Off"}</Badge>
                  {disabled !== null && (
                    <p>
                      By the engine, <Ago at={disabled.at} />: {disabled.reason}
                    </p>
                  )}
                </>
              ),
            },
            {
              title: "Do",
              cell: ({ id, active, url }) => (
                <div className="row">
                  <Button small busy={ping.isPending && ping.variables === id} onClick={() => ping.act(id)} aria-label={`Test ${url}`}>
                    Test
                  </Button>
                  <Button small onClick={() => setDialog({ kind: "log", id })} aria-label={`Deliveries to ${url}`}>
                    Deliveries
                  </Button>
                  <Button small onClick={() => activate.act({ id, active: !active })} aria-label={`Switch ${active ? "off" : "on"} ${url}`}>
                    {active ? "Switch off" : "Switch on"}
                  </Button>
                  <Button small look="quiet" onClick={() => setDialog({ kind: "delete", id })} aria-label={`Delete ${url}`}>
                    Delete
                  </Button>
                </div>
              ),
            },
          ]}
        />
      )}
      {dialog?.kind === "new" && <NewWebhook project={project} onClose={() => setDialog(null)} />}
      {dialog?.kind === "log" && <Deliveries project={project} id={dialog.id} onClose={() => setDialog(null)} />}
      {dialog?.kind === "delete" && (
        <ConfirmDialog
          title="Delete the webhook?"
          verb="Delete webhook"
          act={() => api.deleteWebhook({ project, id: dialog.id })}
          done="The webhook was deleted."
          changes={["project", project]}
          onClose={() => setDialog(null)}
        >
          Nothing more is sent to it. What it missed is not sent later.
        </ConfirmDialog>
      )}
    </Panel>
  );
}

function NewWebhook({ project, onClose }: { readonly project: string; readonly onClose: () => void }) {
  const [{ url, events, envs, description }, setForm] = useState({ url: "", events: "*", envs: "*", description: "" });
  const queries = useQueryClient();
  const create = useAction({
    mutationFn: () =>
      api.createWebhook({
        project,
        url: url.trim(),
        events: namesIn(events),
        envs: namesIn(envs),
        ...(description !== "" && { description }),
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["project", project] }),
  });
  const change = (part: Partial<Record<"url" | "events" | "envs" | "description", string>>) =>
    setForm({ url, events, envs, description, ...part });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.act();
  };
  if (create.isSuccess) {
    return (
      <Dialog title="The webhook’s secret" onClose={onClose}>
        <ShownOnce what="With it the receiver verifies that events are from here." secret={create.data.secret} />
      </Dialog>
    );
  }
  return (
    <Dialog title="New webhook" onClose={onClose}>
      <form onSubmit={submit} className="form">
        <Field label="Address" hint="https, and public.">
          {(control) => <input {...control} type="url" required value={url} onChange={({ target }) => change({ url: target.value })} />}
        </Field>
        <Field label="Hears of" hint="Actions, separated by commas: promote, rollback, deployment.*; * for all.">
          {(control) => <input {...control} required value={events} onChange={({ target }) => change({ events: target.value })} />}
        </Field>
        <Field label="In" hint="Environments, separated by commas; * for all.">
          {(control) => <input {...control} required value={envs} onChange={({ target }) => change({ envs: target.value })} />}
        </Field>
        <Field label="What it is for (may be left out)">
          {(control) => <input {...control} value={description} onChange={({ target }) => change({ description: target.value })} />}
        </Field>
        {create.isError && <Failure error={create.error} what="create the webhook" />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending}>
            Create webhook
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function Deliveries({ project, id, onClose }: { readonly project: string; readonly id: string; readonly onClose: () => void }) {
  const deliveries = useRead(deliveriesQuery(project, id));
  return (
    <Dialog title="Deliveries" onClose={onClose} wide>
      {deliveries.isPending && <Loading what="the deliveries" />}
      {deliveries.isError && <Failure error={deliveries.error} what="load the deliveries" onRetry={() => void deliveries.refetch()} />}
      {deliveries.data?.items.length === 0 && <p>Nothing was sent yet.</p>}
      {deliveries.data !== undefined && deliveries.data.items.length > 0 && (
        <Table
          caption="Deliveries, newest first"
          rows={deliveries.data.items}
          keyOf={({ id: each, at }) => `${each} ${at}`}
          columns={[
            { title: "When", cell: ({ at }) => <Ago at={at} /> },
            { title: "Event", cell: ({ id: each }) => <code>{each}</code> },
            { title: "What became of it", cell: (delivery) => <Outcome delivery={delivery} /> },
          ]}
        />
      )}
    </Dialog>
  );
}

type Delivery = Awaited<ReturnType<typeof api.listDeliveries>>["items"][number];

const OUTCOMES = {
  taken: { tone: "good", text: "Taken" },
  refused: { tone: "bad", text: "Refused" },
  failed: { tone: "warn", text: "Failed, tried again" },
} as const;

function Outcome({ delivery: { outcome, status, error, duration_ms } }: { readonly delivery: Delivery }) {
  return (
    <>
      <Badge tone={OUTCOMES[outcome].tone}>{OUTCOMES[outcome].text}</Badge> {error ?? `status ${status}, ${duration_ms} ms`}
    </>
  );
}
