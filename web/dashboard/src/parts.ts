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
