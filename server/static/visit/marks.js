// Cases that a reader marked: more like this, not like this.

import { $, el } from "../shared/dom.js";
import { list, t } from "../shared/language.js";

const KINDS = ["liked", "disliked"];
const MOST = 50;

const marks = new Map();

export function marked() {
  const of = (kind) => [...marks].filter(([, mark]) => mark === kind).map(([id]) => id);
  return { liked: of("liked"), disliked: of("disliked") };
}

export function setMarks({ liked = [], disliked = [] }) {
  marks.clear();
  for (const id of liked) marks.set(id, "liked");
  for (const id of disliked) marks.set(id, "disliked");
  showMarks();
}

export const clearMarks = () => setMarks({});

let held = false;

/** While a link is followed, its marks outlive the pasting of its report. */
export function holdMarks(on) { held = on; }

/** Another report is asked: marks of the last answer say nothing of it. */
export function dropMarks() {
  if (!held) clearMarks();
}

export function showMarks() {
  const { liked, disliked } = marked();
  $("marks").hidden = marks.size === 0;
  $("marks-text").textContent = list([
    liked.length ? t("marks.liked", { n: liked.length }) : "",
    disliked.length ? t("marks.disliked", { n: disliked.length }) : "",
  ].filter(Boolean));
  for (const button of document.querySelectorAll(".mark")) {
    button.setAttribute("aria-pressed", String(marks.get(button.dataset.id) === button.dataset.kind));
  }
}

export function markButtons(caseId) {
  return el("div", { className: "marking" }, ...KINDS.map((kind) => {
    const label = t(`mark.${kind}`);
    const button = el("button", {
      type: "button", className: `mark ${kind}`, ariaLabel: t("mark.of", { label, id: caseId }),
    }, label);
    Object.assign(button.dataset, { id: caseId, kind });
    button.setAttribute("aria-pressed", String(marks.get(caseId) === kind));
    button.addEventListener("click", () => {
      if (marks.get(caseId) === kind) marks.delete(caseId);
      else if (marks.size < MOST || marks.has(caseId)) marks.set(caseId, kind);
      showMarks();
    });
    return button;
  }));
}
