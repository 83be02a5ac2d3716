import { isRouteErrorResponse, useRouteError } from "react-router";
import { LinkButton } from "../components/Button.tsx";
import { Page } from "../components/Page.tsx";
import { Empty, Failure } from "../components/States.tsx";

/** No page has this address; or one that has it failed. */
export function Lost() {
  const error = useRouteError();
  if (error != null && !isRouteErrorResponse(error)) {
    return (
      <Page title="This page failed">
        <Failure error={error} what="show this page" onRetry={() => window.location.reload()} />
      </Page>
    );
  }
  return (
    <Page title="Nothing here">
      <Empty title="No page has this address" action={<LinkButton to="/">All projects</LinkButton>}>
        It may have been copied only in part. Whatever there is can be reached from the list of projects.
      </Empty>
    </Page>
  );
}
