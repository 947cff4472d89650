import { HeliographError, type RestClient } from "@heliograph/client";
import { el } from "@heliograph/viewer/dom";
import { conversionsView } from "./conversions-view.ts";
import { createForm, type NewSession } from "./create-form.ts";
import { extendDialog, loadDialog, logDialog, stopDialog } from "./dialogs.ts";
import { suggestId } from "./names.ts";
import { busy, errorText, logo, reconcile } from "./parts.ts";
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
    load: (session) => loadDialog(session, rest),
    log: (session) => logDialog(session.id, (lines) => rest.log(session.id, lines)),
    dismiss: (session) => sessions.dismiss(session.id),
  };

  /** A tab may be opened only while the click is handled; it gets its address when the token is there. */
  async function inNewTab(session: () => Promise<string>): Promise<void> {
    const tab = window.open("about:blank", "_blank");
    try {
      if (!tab) throw new HeliographError("aborted", "The browser blocked the new tab. Allow pop-ups for this page.");
      const id = await session();
      const { token } = await rest.viewerToken(id);
      tab.opener = null;
      tab.location.replace(
        new URL(`/viewer/#${new URLSearchParams({ account: options.account, session: id, token }).toString()}`, location.href),
      );
    } catch (error) {
      tab?.close();
      throw error;
    }
  }

  async function openViewer(id: string): Promise<void> {
    try {
      await inNewTab(() => Promise.resolve(id));
    } catch (error) {
      note(id, errorText(HeliographError.from(error, "server", "The viewer cannot be opened.")));
    }
  }

  /** Shows an asset in a session of its own. */
  function showAsset(uri: string): Promise<void> {
    return inNewTab(async () => {
      const id = suggestId();
      sessions.put(await rest.create(id, { size: "Standard", maxLeaseTimeMinutes: 30 }, { signal }));
      await rest.waitReady(id, { signal });
      await rest.load(id, uri, { signal });
      return id;
    });
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

  const report = (error: HeliographError | undefined) => {
    trouble.hidden = !error;
    if (error) trouble.textContent = errorText(error);
    if (error?.reason === "unauthorized") options.signOut();
  };
  sessions.on("change", draw);
  sessions.on("trouble", report);
  document.addEventListener("visibilitychange", () => sessions.refreshSoon(), { signal });
  const views = {
    Sessions: el(
      "main",
      { class: "columns" },
      el("section", { "aria-labelledby": "sessions-title" }, el("h1", { id: "sessions-title" }, "Sessions"), empty, list),
      el("aside", {}, createForm(create)),
    ),
    Conversions: conversionsView({ rest, trouble: report, show: showAsset }, signal),
  };
  void sessions.run(signal, () => document.hidden || Boolean(views.Sessions.hidden));

  return el(
    "div",
    { class: "page" },
    el(
      "header",
      {},
      el("div", { class: "brand" }, logo(), "Heliograph"),
      tabs(views),
      el(
        "div",
        { class: "who" },
        el("code", { title: "Account id" }, options.account),
        el("button", { type: "button", class: "link", onclick: options.signOut }, "Sign out"),
      ),
    ),
    trouble,
    ...Object.values(views),
  );
}

/** Shows one view at a time; a view hears "show" when it is. */
function tabs(views: Record<string, HTMLElement>): HTMLElement {
  const buttons = Object.entries(views).map(([name, view]) => {
    const button = el("button", { type: "button", class: "tab", "aria-pressed": String(!view.hidden) }, name);
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      for (const other of Object.values(views)) other.hidden = other !== view;
      view.dispatchEvent(new Event("show"));
    });
    return button;
  });
  return el("nav", { class: "tabs", "aria-label": "Views" }, ...buttons);
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
