// The interface's language: a catalog of messages; numbers and dates as the reader's own place writes them.

const LANGUAGES = { en: "English", de: "Deutsch", zh: "中文" };
const KEPT = "coin-language";

let messages = {};
export let language = "en";
let place = "en";
let plurals = new Intl.PluralRules("en");

/** Reads the catalog, and further ones of a page of its own. */
export async function readMessages(...pages) {
  const wanted = [kept(), ...navigator.languages].filter(Boolean);
  const found = wanted.find((name) => name.slice(0, 2) in LANGUAGES) ?? "en";
  language = found.slice(0, 2);
  place = navigator.languages.find((name) => name.startsWith(language)) ?? language;
  plurals = new Intl.PluralRules(language);
  const catalogs = ["", ...pages.map((page) => `${page}/`)].map(async (place) =>
    (await fetch(`static/messages/${place}${language}.json`)).json());
  messages = Object.assign({}, ...await Promise.all(catalogs));
  document.documentElement.lang = language;
  name(document);
}

/** Reads a further catalog of a part of the page. */
export async function addMessages(part) {
  Object.assign(messages, await (await fetch(`static/messages/${part}/${language}.json`)).json());
}

function kept() {
  try { return localStorage.getItem(KEPT); } catch { return null; }
}

/** A message; `n` chooses singular or plural, numbers are written as the reader writes them. */
export function t(key, values = {}) {
  const message = messages[key];
  if (message === undefined) return key;
  const text = typeof message === "string" ? message : message[plurals.select(values.n)] ?? message.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? number(value) : value ?? "";
  });
}

export const has = (key) => key in messages;

const SAID = "say:";

/** What a server's English sentence says here: catalogs hold its pattern; without one, nothing. */
export function said(sentence) {
  for (const key of Object.keys(messages).filter((one) => one.startsWith(SAID))) {
    const pattern = key.slice(SAID.length).replace(/[.*+?^$()[\]\\]/g, "\\$&").replace(/\{(\w+)\}/g, "(?<$1>.+?)");
    const found = sentence.match(new RegExp(`^${pattern}$`));
    if (found) return t(key, found.groups);
  }
  return null;
}

/** Writes every element's message into it: data-t its text, data-t-NAME an attribute. */
export function name(within) {
  for (const node of within.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const attribute of ["placeholder", "aria-label", "title"]) {
    for (const node of within.querySelectorAll(`[data-t-${attribute}]`)) {
      node.setAttribute(attribute, t(node.getAttribute(`data-t-${attribute}`)));
    }
  }
}

export function offerLanguages(select) {
  for (const [code, label] of Object.entries(LANGUAGES)) {
    const option = document.createElement("option");
    Object.assign(option, { value: code, textContent: label, lang: code });
    select.append(option);
  }
  select.value = language;
  select.addEventListener("change", () => {
    try { localStorage.setItem(KEPT, select.value); } catch { /* then it holds until the reload only */ }
    window.location.reload();
  });
}

export const number = (value, options) => value.toLocaleString(place, options);
export const percent = (share) => number(share, { style: "percent" });
export const seconds = (ms) => number(ms / 1000, {
  style: "unit", unit: "second", unitDisplay: "short", minimumFractionDigits: 1, maximumFractionDigits: 1,
});
export const date = (value) => new Date(value).toLocaleString(place, { dateStyle: "medium", timeStyle: "short" });
export const list = (parts) => new Intl.ListFormat(place, { type: "conjunction" }).format(parts);
