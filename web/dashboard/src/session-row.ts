import { isTerminal, type Session } from "@heliograph/client";
import { el } from "@heliograph/viewer/dom";
import { actionButton, when } from "./parts.ts";

export interface RowActions {
  open: (session: Session, button: HTMLButtonElement) => void;
  extend: (session: Session) => void;
  stop: (session: Session) => void;
  load: (session: Session) => void;
  log: (session: Session) => void;
  dismiss: (session: Session) => void;
}

/** One session. `notes` are things to say about it that the REST API does not know. */
export function sessionRow(session: Session, note: string | undefined, actions: RowActions): HTMLElement {
  const over = isTerminal(session.status);
  const button = (label: string, action: string, run: (button: HTMLButtonElement) => void, className = "") =>
    actionButton(label, session.id, action, run, className);
  const buttons = over
    ? [button("Log", "log", () => actions.log(session)), button("Dismiss", "dismiss", () => actions.dismiss(session))]
    : [
        button("Open viewer", "open", (b) => actions.open(session, b), "primary"),
        ...(session.status === "Ready" ? [button("Load", "load", () => actions.load(session))] : []),
        button("Extend", "extend", () => actions.extend(session)),
        button("Log", "log", () => actions.log(session)),
        button("Stop", "stop", () => actions.stop(session), "quiet-danger"),
      ];
  const explanation = note ?? session.error?.message;
  return el(
    "li",
    { class: `session ${session.status.toLowerCase()}`, "data-session": session.id },
    el("div", { class: "head" }, el("h3", {}, session.id), el("span", { class: "badge" }, session.status)),
    el("p", { class: "facts" }, ...facts(session)),
    ...(over ? [] : [leaseBar(session)]),
    ...(explanation ? [el("p", { class: session.status === "Error" || note ? "problem" : "muted" }, explanation)] : []),
    el("div", { class: "buttons" }, ...buttons),
  );
}

function facts(session: Session): HTMLElement[] {
  const parts = [session.size, `created ${when(session.creationTime)}`];
  if (session.teraflops !== undefined) parts.push(`${session.teraflops.toLocaleString("en", { maximumSignificantDigits: 2 })} TFLOPS`);
  if (session.hostname) parts.push(`${session.hostname}:${session.handshakePort}`);
  return parts.map((p) => el("span", {}, p));
}

function leaseBar(session: Session): HTMLElement {
  const { elapsedTimeMinutes: elapsed, maxLeaseTimeMinutes: total } = session;
  const left = Math.max(0, total - elapsed);
  const text = session.status === "Starting" ? `Lease of ${total} min, counted from Ready` : `${left} of ${total} min left`;
  const meter = el("progress", { max: String(Math.max(total, 1)), "aria-label": "Lease used" });
  meter.value = Math.min(elapsed, total);
  return el("div", { class: left <= 2 && session.status === "Ready" ? "lease short" : "lease" }, meter, el("span", {}, text));
}
