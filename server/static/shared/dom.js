// Elements: what every part of the page uses.

export const $ = (id) => document.getElementById(id);

export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export function button(label, act, properties = {}) {
  const node = el("button", { type: "button", className: "quiet", ...properties }, label);
  node.addEventListener("click", act);
  return node;
}

export const words = (name) => name.replaceAll("_", " ");
export const joined = (...parts) => parts.filter(Boolean).join(" · ");

/** The address of a PNG that stands in the answer. */
export function addressOf(png) {
  const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
}
