// Diagnoses that look alike, in columns: their nearest real cases, and what tells them apart.

import { $, button, el } from "../shared/dom.js";
import { t } from "../shared/language.js";
import { smallCard } from "./cards.js";
import { openBeside, openCases } from "./viewer.js";

const DIFFERENCES = 4;

export function showRivals(rivals, shown) {
  $("rivals").hidden = rivals.length < 2;
  $("rival-list").replaceChildren(...rivals.map((rival, place) => el("article", { className: "rival" },
    el("header", {},
      el("h4", {}, rival.diagnosis),
      el("p", { className: "hint" }, rival.count ? t("rivals.count", { n: rival.count }) : t("rivals.none"))),
    el("ul", { className: "rival-cases" }, ...rival.cases.map((found, at) =>
      smallCard(found, "", () => openCases(rival.cases, at, shown)))),
    differences(rival, place),
    place && rival.cases.length && rivals[0].cases.length
      ? button(t("rivals.compare", { name: rivals[0].diagnosis }),
        () => openBeside(rival.cases, rivals[0].cases[0], shown))
      : null)));
}

function differences({ differs }, place) {
  if (place === 0) return el("p", { className: "hint" }, t("rivals.first"));
  if (!differs.length) return el("p", { className: "hint" }, t("rivals.alike"));
  return el("dl", {}, ...differs.slice(0, DIFFERENCES).flatMap((one) => [
    el("dt", {}, one.attribute),
    el("dd", {}, el("b", {}, one.value), ` ${t("rivals.in", { count: one.count, of: one.of })}`,
      el("small", {}, t("rivals.there", { value: one.leading, count: one.leading_count, of: one.leading_of }))),
  ]));
}
