// What stands around the cases: the summary, drawings that failed, rivals, and the query's own.

import { $, counted, el, percent } from "./dom.js";

const PLACES = 4;
const LEAST = 0.005;

export function showSummary(sentences) {
  const of = (...levels) => sentences
    .filter((sentence) => levels.includes(sentence.level))
    .map(({ level, text }) => el("li", { className: level }, text));
  $("summary").replaceChildren(...of("warning", "note"));
  $("details").replaceChildren(...of("detail"));
}

export function nearness({ standing, similarity }, brief = false) {
  const share = standing ?? Math.max(0, similarity);
  const fill = el("i");
  fill.style.width = `${share * 100}%`;
  const text = standing === null ? `similarity ${similarity.toFixed(2)}`
    : brief ? percent(standing)
      : standing < LEAST ? "farther than neighbours here" : `closer than ${percent(standing)}`;
  return el("div", {
    className: "similarity",
    title: standing === null
      ? "Similarity to what you asked; 1 is identical"
      : `${percent(standing)} of this archive’s own neighbouring pictures are less alike than this case is to what you asked`,
  }, el("div", { className: "bar", ariaHidden: "true" }, fill), el("span", {}, text));
}

export function repetition(found, cases) {
  if (!found.repeats) return null;
  const place = cases.findIndex((one) => one.case_id === found.repeats) + 1;
  const of = place ? `place ${place}` : "your own case";
  const shared = { patient: "Same patient", slide: "Same slide" }[found.repeats_because] ?? "Same cells";
  return el("p", { className: "repeats" }, `${shared} as ${of}: not counted again`);
}

export function prototypeWords({ passed, shows }) {
  if (passed === false) return el("span", { className: "failed" }, `Looks like ${shows}: not counted`);
  return passed ? el("span", { className: "passed" }, `Looks like ${shows}`) : null;
}

export function showOwn(own, card) {
  $("own").hidden = own.length === 0;
  $("own-list").replaceChildren(...own.map(({ case: found, because }) =>
    card(found, because === "marked" ? "You marked it" : "It holds this very picture")));
}

export function showRivals(rivals, card) {
  $("rivals").hidden = rivals.length < 2;
  $("rival-list").replaceChildren(...rivals.map((rival, place) => el("article", { className: "rival" },
    el("header", {},
      el("h4", {}, rival.diagnosis),
      el("p", { className: "hint" }, rival.count
        ? `${rival.count} of the nearest` : "none of the nearest")),
    el("ul", { className: "rival-cases" }, ...rival.cases.map((found) => card(found, ""))),
    differences(rival, place))));
}

function differences({ differs }, place) {
  if (place === 0) return el("p", { className: "hint" }, "The others are compared with these.");
  if (!differs.length) return el("p", { className: "hint" }, "Nothing that the archive records tells them apart.");
  const shown = differs.slice(0, PLACES);
  return el("dl", {}, ...shown.flatMap((one) => [
    el("dt", {}, one.attribute),
    el("dd", {}, el("b", {}, one.value), ` in ${one.count} of ${counted(one.of, "case")}`,
      el("small", {}, `the first: ${one.leading} in ${one.leading_count} of ${one.leading_of}`)),
  ]));
}
