// Cases that a reader marked: more like this, not like this.

import { $, counted, el } from "./dom.js";

const KINDS = { liked: "More like this", disliked: "Not like this" };
const MOST = 50;

const marks = new Map();

export function marked() {
  const of = (kind) => [...marks].filter(([, mark]) => mark === kind).map(([id]) => id);
  return { liked: of("liked"), disliked: of("disliked") };
}

export function clearMarks() {
  marks.clear();
  for (const button of document.querySelectorAll(".mark")) button.setAttribute("aria-pressed", "false");
  showMarks();
}

export function showMarks() {
  const { liked, disliked } = marked();
  $("marks").hidden = marks.size === 0;
  $("marks-text").textContent = [
    liked.length ? `More like ${counted(liked.length, "case")}` : "",
    disliked.length ? `not like ${counted(disliked.length, "case")}` : "",
  ].filter(Boolean).join(", ").replace(/^n/, "N");
}

export function markButtons(caseId) {
  const buttons = Object.entries(KINDS).map(([kind, label]) => {
    const button = el("button", {
      type: "button", className: `mark ${kind}`, ariaLabel: `${label}: case ${caseId}`,
    }, label);
    button.setAttribute("aria-pressed", String(marks.get(caseId) === kind));
    button.addEventListener("click", () => {
      if (marks.get(caseId) === kind) marks.delete(caseId);
      else if (marks.size < MOST || marks.has(caseId)) marks.set(caseId, kind);
      for (const other of buttons) {
        other.setAttribute("aria-pressed", String(other.classList.contains(marks.get(caseId) ?? "none")));
      }
      showMarks();
    });
    return button;
  });
  return el("div", { className: "marking" }, ...buttons);
}
