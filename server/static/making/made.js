// The synthetic picture that a search was made with: drawn of nuclei, or translated.

import { $, addressOf, el } from "../shared/dom.js";
import { number, percent, t } from "../shared/language.js";

/** It as a drawing from a report is; null where none was made, or it is kept nowhere any more. */
export function madeOf({ searched_with: made }) {
  if (!made || (!made.path && !made.png)) return null;
  const address = made.path ? "" : addressOf(made.png);
  return { ...made, id: "made", path: made.path || address, address, passed: null };
}

/** What can be counted in it, beside what was asked. */
export function showMeasures(made) {
  const measures = made?.measures;
  $("measures").hidden = !measures;
  if (!measures) return;
  const { asked, count, placed, diameter, unit, crowding, nc_ratio: ratio } = measures;
  const one = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  const size = `${number(diameter, one)} ${unit}`;
  const rows = [
    ["measure.count", t("measure.of_asked", { count: number(count), asked: number(asked) })],
    ["measure.placed", t("measure.of", { count: number(placed), of: number(asked) })],
    ["measure.diameter", unit === "px" ? t("measure.px", { size, px: number(made.provenance.width_px) }) : size],
    ["measure.crowding", percent(crowding)],
    ...(ratio === null ? [] : [["measure.ratio", number(ratio, { minimumFractionDigits: 2, maximumFractionDigits: 2 })]]),
  ];
  $("measures").replaceChildren(...rows.map(([name, value]) =>
    el("div", {}, el("dt", {}, t(name)), el("dd", {}, value))));
}
