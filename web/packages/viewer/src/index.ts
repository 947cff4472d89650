import { HeliographViewer, type ViewerEventMap } from "./viewer.ts";

export { HeliographViewer, type ViewerEventMap };

declare global {
  interface HTMLElementTagNameMap {
    "heliograph-viewer": HeliographViewer;
  }
}

if (!customElements.get("heliograph-viewer")) customElements.define("heliograph-viewer", HeliographViewer);
