import { HeliographError, RestClient } from "@heliograph/client";
import { rememberAccount, restoreAccount, type Account } from "./account.ts";
import { dashboardPage } from "./dashboard-page.ts";
import { signInPage } from "./sign-in.ts";

const app = document.querySelector<HTMLElement>("#app")!;
let open: AbortController | undefined; // the page that is shown

function show(page: (signal: AbortSignal) => HTMLElement): void {
  open?.abort();
  open = new AbortController();
  app.replaceChildren(page(open.signal));
}

/** Checks the account with the service and shows its sessions; throws when the service refuses. */
async function signIn(account: Account): Promise<void> {
  const rest = new RestClient({ endpoint: location.origin, account: account.id, credential: { accountKey: account.key } });
  await rest.token();
  rememberAccount(account);
  show((signal) => dashboardPage({ account: account.id, rest, signOut }, signal));
}

function signOut(): void {
  rememberAccount(undefined);
  show(() => signInPage({ signIn }));
}

async function start(): Promise<void> {
  const account = restoreAccount();
  if (!account) {
    show(() => signInPage({ signIn }));
    return;
  }
  try {
    await signIn(account);
  } catch (error) {
    const failure = HeliographError.from(error, "server", "Signing in failed.");
    if (failure.reason === "unauthorized") rememberAccount(undefined);
    show(() => signInPage({ signIn, account, failure }));
  }
}

void start();
window.addEventListener("hashchange", () => void start());
