// Small pieces that the dashboard's parts share.
import type { HeliographError } from "@heliograph/client";
import { el } from "@heliograph/viewer/dom";

export function logo(): HTMLElement {
  return el("img", { src: "/favicon.svg", alt: "", width: "28", height: "28" });
}

/** Disables a button while the work runs, so that it is done once. */
export async function busy<T>(button: HTMLButtonElement, work: () => Promise<T>): Promise<T> {
  button.disabled = true;
  button.classList.add("busy");
  try {
    return await work();
  } finally {
    button.disabled = false;
    button.classList.remove("busy");
  }
}

/** An error as a person should read it. */
export function errorText(error: HeliographError): string {
  switch (error.reason) {
    case "network":
      return "The service cannot be reached. Does it still run?";
    case "rate-limited":
      return "Too many requests were made with this account. Wait a moment and try again.";
    case "conflict":
      return `${error.message} Choose another id.`;
    default:
      return error.message;
  }
}

export interface Dialog {
  element: HTMLDialogElement;
  close: () => void;
}

/** Opens a modal dialog that removes itself when closed. */
export function openDialog(title: string, className: string, ...content: (Node | string)[]): Dialog {
  const heading = el("h2", { id: "dialog-title" }, title);
  const element = el("dialog", { class: className, "aria-labelledby": "dialog-title" }, heading, ...content);
  element.addEventListener("close", () => element.remove());
  element.addEventListener("click", (event) => event.target === element && element.close()); // the backdrop
  document.body.append(element);
  element.showModal();
  return { element, close: () => element.close() };
}

/** A button of a row, named after what it is about. */
export function actionButton(
  label: string,
  id: string,
  action: string,
  run: (button: HTMLButtonElement) => void,
  className = "",
): HTMLButtonElement {
  const b = el("button", { type: "button", class: className, "data-action": action, "aria-label": `${label} ${id}` }, label);
  b.addEventListener("click", () => run(b));
  return b;
}

/** A time of today as "14:05", of another day with its date. */
export function when(time: string): string {
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  const options: Intl.DateTimeFormatOptions = today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(undefined, options).format(date);
}

/** Waits; ends early, without an error, when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** Makes the list show these items, replacing only rows that differ: what has the focus keeps it. A row has its item's id. */
export function reconcile<T extends { id: string }>(
  list: HTMLElement,
  items: readonly T[],
  render: (item: T) => HTMLElement,
  version: (item: T) => string,
): void {
  const rows = new Map([...list.children].map((row) => [(row as HTMLElement).dataset.session, row as HTMLElement]));
  const wanted = items.map((item) => {
    const present = rows.get(item.id);
    if (present?.dataset.version === version(item)) return present;
    const row = render(item);
    row.dataset.version = version(item);
    const action = present?.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.action : undefined;
    present?.replaceWith(row);
    if (action) row.querySelector<HTMLElement>(`[data-action="${action}"]`)?.focus();
    return row;
  });
  if (wanted.length !== list.children.length || wanted.some((row, i) => list.children[i] !== row)) list.replaceChildren(...wanted);
}
