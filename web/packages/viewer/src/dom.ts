type Child = Node | string;

/** Creates an element: `el("button", { class: "primary", onclick }, "Label")`. Functions become listeners, true a bare attribute. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | boolean | ((event: Event) => void)> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
    else if (typeof value === "string") element.setAttribute(name, value);
    else element.toggleAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const svg = "http://www.w3.org/2000/svg";

/** A 24 x 24 line icon made of SVG path data. */
export function icon(...paths: string[]): SVGSVGElement {
  const root = document.createElementNS(svg, "svg");
  root.setAttribute("viewBox", "0 0 24 24");
  root.setAttribute("aria-hidden", "true");
  for (const d of paths) {
    const path = document.createElementNS(svg, "path");
    path.setAttribute("d", d);
    root.append(path);
  }
  return root;
}
