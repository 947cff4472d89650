/** The element's style sheet. Colours follow the page's colour scheme; what lies over the picture is dark glass in both. */
export const styles = `
:host {
  display: block;
  position: relative;
  overflow: hidden;
  min-width: 160px;
  min-height: 120px;
  --page: #eceff3;
  --card: #ffffff;
  --text: #17202c;
  --muted: #5a6675;
  --line: #d7dde5;
  --accent: #d9730d;
  --accent-text: #ffffff;
  --danger: #c0362c;
  background: var(--page);
  color: var(--text);
  font:
    14px/1.5 system-ui,
    -apple-system,
    "Segoe UI",
    Roboto,
    sans-serif;
  -webkit-font-smoothing: antialiased;
}
@media (prefers-color-scheme: dark) {
  :host {
    --page: #11151b;
    --card: #1b222c;
    --text: #e9edf3;
    --muted: #9aa7b8;
    --line: #303a48;
    --accent: #f09a3e;
    --accent-text: #201304;
    --danger: #ff7d70;
  }
}
:host([hidden]) {
  display: none;
}
* {
  box-sizing: border-box;
}
[hidden] {
  display: none !important;
}
video,
canvas,
.surface {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
}
video,
canvas {
  object-fit: contain;
  transition: filter 0.25s;
}
.dimmed video,
.dimmed canvas {
  filter: brightness(0.55) saturate(0.5);
}
.surface {
  outline: none;
  touch-action: none;
  cursor: grab;
  user-select: none;
  -webkit-user-select: none;
}
.surface:active {
  cursor: grabbing;
}
.surface:focus-visible {
  box-shadow: inset 0 0 0 2px color-mix(in srgb, var(--accent) 55%, transparent);
}

.glass {
  color: #f3f6fa;
  background: rgb(20 26 34 / 0.74);
  border: 1px solid rgb(255 255 255 / 0.1);
  border-radius: 12px;
  -webkit-backdrop-filter: blur(14px);
  backdrop-filter: blur(14px);
  box-shadow: 0 6px 24px rgb(0 0 0 / 0.18);
}
.pill {
  position: absolute;
  top: 14px;
  left: 14px;
  display: flex;
  align-items: center;
  gap: 8px;
  padding: 5px 12px 5px 10px;
  border-radius: 99px;
  font-size: 13px;
  pointer-events: none;
}
.pill i {
  width: 8px;
  height: 8px;
  border-radius: 50%;
  background: #97a3b3;
}
.pill[data-tone="live"] i {
  background: #4cc38a;
  box-shadow: 0 0 0 3px rgb(76 195 138 / 0.25);
}
.pill[data-tone="busy"] i {
  background: #f0b23e;
  animation: pulse 1.1s infinite alternate;
}
.pill[data-tone="bad"] i {
  background: #ff6b5e;
}
.pill ::slotted(*) {
  font-weight: 600;
  max-width: 40vw;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}
.pill .lease {
  color: #f0b23e;
}
.pill .lease:empty {
  display: none;
}
@keyframes pulse {
  to {
    opacity: 0.35;
  }
}

.overlay {
  position: absolute;
  top: 14px;
  right: 14px;
  padding: 10px 14px;
  font-size: 12.5px;
  pointer-events: none;
  max-width: calc(100% - 28px);
}
.overlay dl {
  display: grid;
  grid-template-columns: auto auto;
  gap: 2px 18px;
  margin: 0;
}
.overlay dt {
  color: #aeb9c7;
}
.overlay dd {
  margin: 0;
  white-space: nowrap;
  text-align: right;
  font-variant-numeric: tabular-nums;
  font-weight: 550;
}

.toolbar {
  position: absolute;
  bottom: 14px;
  left: 50%;
  transform: translateX(-50%);
  display: flex;
  gap: 2px;
  padding: 4px;
}
.toolbar button {
  display: grid;
  place-items: center;
  width: 38px;
  height: 36px;
  padding: 0;
  color: inherit;
  background: none;
  border: 0;
  border-radius: 8px;
  cursor: pointer;
}
.toolbar button:hover {
  background: rgb(255 255 255 / 0.13);
}
.toolbar button[aria-pressed="true"] {
  color: #ffb866;
  background: rgb(255 255 255 / 0.1);
}
.toolbar button:focus-visible,
.card button:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 2px;
}
.toolbar button:disabled {
  opacity: 0.35;
  cursor: default;
  background: none;
}
svg {
  width: 20px;
  height: 20px;
  fill: none;
  stroke: currentColor;
  stroke-width: 1.8;
  stroke-linecap: round;
  stroke-linejoin: round;
}

.help {
  position: absolute;
  bottom: 66px;
  left: 50%;
  transform: translateX(-50%);
  width: max-content;
  max-width: calc(100% - 28px);
  padding: 12px 16px;
  font-size: 13px;
}
.help dl {
  display: grid;
  grid-template-columns: auto auto;
  gap: 4px 18px;
  margin: 0;
}
.help dt {
  font-weight: 550;
}
.help dd {
  margin: 0;
  color: #c5cedb;
}

.progress {
  position: absolute;
  left: 50%;
  bottom: 66px;
  transform: translateX(-50%);
  width: min(340px, calc(100% - 28px));
  padding: 10px 14px 12px;
  font-size: 13px;
}
.progress div {
  display: flex;
  justify-content: space-between;
  gap: 12px;
}
.progress span {
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}
.bar {
  height: 4px;
  margin-top: 8px;
  border-radius: 2px;
  background: rgb(255 255 255 / 0.18);
  overflow: hidden;
}
.bar i {
  display: block;
  height: 100%;
  width: 0;
  border-radius: 2px;
  background: #f09a3e;
  transition: width 0.2s;
}

.center {
  position: absolute;
  inset: 0;
  display: grid;
  place-items: center;
  padding: 20px;
  pointer-events: none;
}
.card {
  pointer-events: auto;
  max-width: 400px;
  padding: 26px 30px;
  text-align: center;
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 16px;
  box-shadow: 0 18px 60px rgb(0 0 0 / 0.22);
  animation: rise 0.2s ease-out;
}
@keyframes rise {
  from {
    opacity: 0;
    transform: translateY(6px);
  }
}
.card h2 {
  margin: 0 0 6px;
  font-size: 17px;
  font-weight: 620;
  line-height: 1.3;
}
.card p {
  margin: 0;
  color: var(--muted);
  overflow-wrap: anywhere;
}
.card.error h2 {
  color: var(--danger);
}
.card button {
  margin-top: 18px;
  padding: 9px 18px;
  font: inherit;
  font-weight: 600;
  color: var(--accent-text);
  background: var(--accent);
  border: 0;
  border-radius: 9px;
  cursor: pointer;
}
.card a {
  display: inline-block;
  margin: 14px 0 0;
  color: var(--accent);
  font-weight: 550;
}
.card button + a {
  margin-left: 16px;
}
.card button:hover {
  filter: brightness(1.07);
}
.spinner {
  width: 30px;
  height: 30px;
  margin: 0 auto 14px;
  border: 3px solid var(--line);
  border-top-color: var(--accent);
  border-radius: 50%;
  animation: spin 0.9s linear infinite;
}
@keyframes spin {
  to {
    transform: rotate(1turn);
  }
}
@media (prefers-reduced-motion: reduce) {
  .spinner {
    animation-duration: 3s;
  }
  .card,
  .pill i {
    animation: none;
  }
  video {
    transition: none;
  }
}
@media (max-width: 480px) {
  .overlay {
    top: 50px;
    left: 14px;
    font-size: 12px;
  }
  .card {
    padding: 20px;
  }
}
`;
