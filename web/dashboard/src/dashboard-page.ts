import { HeliographError, type RestClient, type Session } from "@heliograph/client";
import { el } from "@heliograph/viewer/dom";
import { createForm, type NewSession } from "./create-form.ts";
import { extendDialog, logDialog, stopDialog } from "./dialogs.ts";
import { busy, errorText, logo } from "./parts.ts";
import { sessionRow, type RowActions } from "./session-row.ts";
import { Sessions } from "./sessions.ts";

const sampleModel = "builtin://engine";

export interface DashboardOptions {
  account: string;
  rest: RestClient;
  signOut: () => void;
}

/** The page of a signed-in account, alive until the signal aborts. */
export function dashboardPage(options: DashboardOptions, signal: AbortSignal): HTMLElement {
  const { rest } = options;
  const sessions = new Sessions(rest);
  const notes = new Map<string, string>(); // by session id
  const trouble = el("p", { class: "banner", role: "alert", hidden: true });
  const list = el("ul", { class: "sessions", "aria-label": "Sessions", "aria-busy": "true" });
  const empty = emptyState();

  const draw = () => {
    list.removeAttribute("aria-busy");
    empty.hidden = sessions.all.length > 0;
    reconcile(
      list,
      sessions.all,
      (s) => sessionRow(s, notes.get(s.id), actions),
      (s) => JSON.stringify([s, notes.get(s.id)]),
    );
  };
  const note = (id: string, text: string) => {
    notes.set(id, text);
    draw();
  };
  const actions: RowActions = {
    open: (session, button) => void busy(button, () => openViewer(session.id)),
    extend: (session) => extendDialog(session, async (total) => sessions.put(await rest.extend(session.id, total))),
    stop: (session) =>
      stopDialog(session, async () => {
        await rest.stop(session.id);
        sessions.put(await rest.get(session.id));
      }),
    log: (session) => logDialog(rest, session.id),
    dismiss: (session) => sessions.dismiss(session.id),
  };

  /** A tab may be opened only while the click is handled; it gets its address when the token is there. */
  async function openViewer(id: string): Promise<void> {
    const tab = window.open("about:blank", "_blank");
    try {
      const { token } = await rest.viewerToken(id);
      const url = new URL(`/viewer/#${new URLSearchParams({ account: options.account, session: id, token }).toString()}`, location.href);
      if (!tab) throw new HeliographError("aborted", "The browser blocked the new tab. Allow pop-ups for this page.");
      tab.opener = null;
      tab.location.replace(url);
    } catch (error) {
      tab?.close();
      note(id, errorText(HeliographError.from(error, "server", "The viewer cannot be opened.")));
    }
  }

  async function create({ id, sample, ...settings }: NewSession): Promise<void> {
    notes.delete(id);
    sessions.put(await rest.create(id, settings, { signal }));
    if (!sample) return;
    rest
      .waitReady(id, { signal })
      .then(() => rest.load(id, sampleModel, { signal }))
      .catch((error: unknown) => {
        const failure = HeliographError.from(error, "server", "");
        // Why a session ended before it was ready, its own row says.
        if (!signal.aborted && failure.reason !== "ended") note(id, `The sample was not loaded: ${errorText(failure)}`);
      });
  }

  sessions.on("change", draw);
  sessions.on("trouble", (error) => {
    trouble.hidden = !error;
    if (error) trouble.textContent = errorText(error);
    if (error?.reason === "unauthorized") options.signOut();
  });
  document.addEventListener("visibilitychange", () => sessions.refreshSoon(), { signal });
  void sessions.run(signal, () => document.hidden);

  return el(
    "div",
    { class: "page" },
    el(
      "header",
      {},
      el("div", { class: "brand" }, logo(), "Heliograph"),
      el(
        "div",
        { class: "who" },
        el("code", { title: "Account id" }, options.account),
        el("button", { type: "button", class: "link", onclick: options.signOut }, "Sign out"),
      ),
    ),
    trouble,
    el(
      "main",
      { class: "columns" },
      el("section", { "aria-labelledby": "sessions-title" }, el("h1", { id: "sessions-title" }, "Sessions"), empty, list),
      el("aside", {}, createForm(create)),
    ),
  );
}

function emptyState(): HTMLElement {
  const step = (title: string, text: string) => el("li", {}, el("b", {}, title), el("span", {}, text));
  return el(
    "div",
    { class: "panel empty", hidden: true },
    el("h2", {}, "No session yet"),
    el("p", { class: "muted" }, "A session is a render worker of your own with a scene of its own, leased for a while."),
    el(
      "ol",
      {},
      step("Create", "The form leases a worker; it is ready within a second."),
      step("Look", "Open the viewer: orbit, pan and zoom the model while the worker renders and streams it."),
      step("Stop", "A session ends when you stop it, or when its lease is over."),
    ),
    el("p", { class: "hint" }, "The same from a terminal: ", el("code", {}, "heliograph session create demo --lease 30 --wait")),
  );
}

/** Makes the list show these sessions, replacing only rows that differ: what has the focus keeps it. */
function reconcile(
  list: HTMLElement,
  sessions: readonly Session[],
  render: (s: Session) => HTMLElement,
  version: (s: Session) => string,
): void {
  const rows = new Map([...list.children].map((row) => [(row as HTMLElement).dataset.session, row as HTMLElement]));
  const wanted = sessions.map((session) => {
    const present = rows.get(session.id);
    if (present?.dataset.version === version(session)) return present;
    const row = render(session);
    row.dataset.version = version(session);
    const action = present?.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.action : undefined;
    present?.replaceWith(row);
    if (action) row.querySelector<HTMLElement>(`[data-action="${action}"]`)?.focus();
    return row;
  });
  if (wanted.length !== list.children.length || wanted.some((row, i) => list.children[i] !== row)) list.replaceChildren(...wanted);
}
