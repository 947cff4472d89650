import { HeliographError, type RestClient, type Session } from "@heliograph/client";
import { el } from "@heliograph/viewer/dom";
import { busy, errorText, openDialog, pause } from "./parts.ts";

const logLines = 400;
const logRefreshMs = 2000;
const loadRefreshMs = 200;
const extensions = [15, 30, 60, 240];

/** Asks before a session is stopped; resolves when the dialog is closed. */
export function stopDialog(session: Session, stop: () => Promise<void>): void {
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const confirm = el("button", { class: "danger", type: "button", "data-action": "confirm-stop" }, "Stop session");
  const cancel = el("button", { type: "button" }, "Cancel");
  const dialog = openDialog(
    `Stop ${session.id}?`,
    "dialog",
    el("p", { class: "muted" }, "Its viewer is disconnected and its scene is lost. A stopped session cannot be started again."),
    problem,
    el("div", { class: "buttons" }, cancel, confirm),
  );
  cancel.addEventListener("click", dialog.close);
  cancel.focus();
  act(confirm, problem, dialog.close, stop);
}

/** Lets the person choose by how much the lease grows. */
export function extendDialog(session: Session, extend: (totalMinutes: number) => Promise<void>): void {
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const select = el(
    "select",
    {},
    ...extensions.map((m) => el("option", { value: String(m) }, m < 60 ? `${m} minutes` : `${m / 60} ${m === 60 ? "hour" : "hours"}`)),
  );
  select.value = "30";
  const confirm = el("button", { class: "primary", type: "button", "data-action": "confirm-extend" }, "Extend");
  const cancel = el("button", { type: "button" }, "Cancel");
  const dialog = openDialog(
    `Extend ${session.id}`,
    "dialog",
    el(
      "p",
      { class: "muted" },
      `The lease is ${session.maxLeaseTimeMinutes} minutes now, of which ${session.elapsedTimeMinutes} have passed.`,
    ),
    el("label", {}, "Add", select),
    problem,
    el("div", { class: "buttons" }, cancel, confirm),
  );
  cancel.addEventListener("click", dialog.close);
  act(confirm, problem, dialog.close, () => extend(session.maxLeaseTimeMinutes + Number(select.value)));
}

function act(button: HTMLButtonElement, problem: HTMLElement, close: () => void, work: () => Promise<void>): void {
  button.addEventListener("click", () => {
    problem.hidden = true;
    busy(button, work).then(close, (error: unknown) => {
      problem.textContent = errorText(HeliographError.from(error, "server", "That did not work."));
      problem.hidden = false;
    });
  });
}

/** Loads a model into a session, and says how far it is. */
export function loadDialog(session: Session, rest: Pick<RestClient, "load" | "loadStatus">): void {
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const uri = el("input", { name: "uri", required: true, spellcheck: "false", autocomplete: "off", placeholder: "builtin://engine" });
  const meter = el("progress", { max: "1", "aria-label": "Progress", hidden: true });
  const confirm = el("button", { class: "primary", type: "button", "data-action": "confirm-load" }, "Load");
  const cancel = el("button", { type: "button" }, "Close");
  const dialog = openDialog(
    `Load a model into ${session.id}`,
    "dialog",
    el("label", {}, "Address", uri),
    el(
      "p",
      { class: "hint" },
      "An asset or a model: builtin://NAME, a path below the service's model folders, or https:// of a host that it allows.",
    ),
    meter,
    problem,
    el("div", { class: "buttons" }, cancel, confirm),
  );
  const closed = new AbortController();
  dialog.element.addEventListener("close", () => closed.abort());
  cancel.addEventListener("click", dialog.close);
  uri.focus();
  act(confirm, problem, dialog.close, async () => {
    meter.hidden = false;
    try {
      const load = await rest.load(session.id, uri.value.trim());
      for (;;) {
        const status = await rest.loadStatus(session.id, load);
        if (status.state === "done" || closed.signal.aborted) return;
        if (status.state === "failed") {
          throw new HeliographError(
            "server",
            typeof status.error === "string" ? status.error : (status.error?.message ?? "The model was not loaded."),
          );
        }
        meter.value = status.done;
        await pause(loadRefreshMs, closed.signal);
      }
    } finally {
      meter.hidden = true;
    }
  });
}

/** Shows the end of a log, and follows it. */
export function logDialog(id: string, read: (lines: number) => Promise<string>): void {
  const text = el("pre", { class: "log", tabindex: "0" }, "Loading…");
  const close = el("button", { type: "button" }, "Close");
  const dialog = openDialog(
    `Log of ${id}`,
    "dialog wide",
    text,
    el("div", { class: "buttons" }, el("span", { class: "hint grow" }, "Follows while it is open."), close),
  );
  close.addEventListener("click", dialog.close);
  const refresh = async () => {
    const atEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 8;
    try {
      const lines = await read(logLines);
      text.textContent = lines || "The log is empty.";
    } catch (error) {
      text.textContent = `The log cannot be read: ${errorText(HeliographError.from(error, "server", "unknown error"))}`;
    }
    if (atEnd) text.scrollTop = text.scrollHeight;
  };
  const timer = setInterval(() => void refresh(), logRefreshMs);
  dialog.element.addEventListener("close", () => clearInterval(timer));
  void refresh();
}
