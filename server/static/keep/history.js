// Searches of before, if the reader wants them remembered: on this computer, for a week, without the report.

import { $, el } from "../shared/dom.js";
import { date } from "../shared/language.js";

const KEPT = "coin-history";
const MOST = 30;
const DAYS = 7;

function read() {
  try {
    const all = JSON.parse(localStorage.getItem(KEPT));
    return all?.filter(({ at }) => Date.now() - at < DAYS * 24 * 3600 * 1000) ?? null;
  } catch {
    return null;
  }
}

function write(entries) {
  try { localStorage.setItem(KEPT, JSON.stringify(entries)); } catch { /* a full store remembers nothing more */ }
}

/** Remembers where a search can be found again; without the reader's wish, nothing. */
export function remember(link, said) {
  const before = read();
  if (!before) return;
  write([{ at: Date.now(), link, said }, ...before.filter((one) => one.link !== link)].slice(0, MOST));
  showHistory();
}

function showHistory() {
  const entries = read();
  $("remember").checked = entries !== null;
  $("forget").hidden = !entries?.length;
  $("past").hidden = !entries?.length;
  $("past-list").replaceChildren(...(entries ?? []).map(({ at, link, said }) => el("li", {},
    el("a", { href: link }, date(at)), ` ${said}`)));
  if (entries) write(entries);
}

export function prepareHistory() {
  $("remember").addEventListener("change", () => {
    if ($("remember").checked) write([]);
    else localStorage.removeItem(KEPT);
    showHistory();
  });
  $("forget").addEventListener("click", () => {
    write([]);
    showHistory();
  });
  // a link of this list changes the address only
  window.addEventListener("hashchange", () => window.location.reload());
  showHistory();
}

