// Elements and words: what every part of the page uses.

export const $ = (id) => document.getElementById(id);

export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

export const words = (name) => name.replaceAll("_", " ");
export const number = (value) => value.toLocaleString("en");
export const joined = (...parts) => parts.filter(Boolean).join(" · ");
export const percent = (share) => `${Math.round(share * 100)} %`;
export const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
