// The page /viewer/#account=…&session=…&token=…: a viewer as large as the window.
import "@heliograph/viewer";
import { takeFragment } from "./fragment.ts";

function start(): void {
  const viewer = document.querySelector("heliograph-viewer");
  if (!viewer) return;
  const given = takeFragment(["account", "session"]);
  const account = given.get("account") ?? "";
  const session = given.get("session") ?? "";
  // The token survives a reload of this tab, nothing more.
  const key = `heliograph.viewer.${account}/${session}`;
  const token = given.get("token") ?? sessionStorage.getItem(key) ?? "";
  if (token) sessionStorage.setItem(key, token);
  document.title = session ? `${session} · Heliograph` : "Viewer · Heliograph";
  viewer.querySelector("[slot=title]")!.textContent = session;
  viewer.setAttribute("account", account);
  viewer.setAttribute("session", session);
  viewer.setAttribute("token", token);
  viewer.focus();
}

start();
window.addEventListener("hashchange", start);
