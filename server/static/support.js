// What the nearest cases say, and how little: never a bare label.

import { $, counted, el, percent } from "./dom.js";

const SHOWN = 6;

export function showSupport(support) {
  $("support").hidden = !support;
  if (!support) return;
  $("support").classList.toggle("doubtful", support.close === false);
  $("support-title").textContent = support.shares.length
    ? `Diagnoses of ${counted(support.counted, independent(support))}${support.close === false ? ", none of them close" : ""}`
    : "No diagnoses to count";
  $("support-heading").textContent = support.heading;
  $("support-heading").hidden = support.shares.length > 0;
  $("share-list").replaceChildren(...support.shares.slice(0, SHOWN).map((share) => row(share, support)));
  const more = support.shares.slice(SHOWN);
  $("more-shares").hidden = more.length === 0;
  $("more-shares").open = false;
  $("more-shares-title").textContent = `${more.length} more`;
  $("more-share-list").replaceChildren(...more.map((share) => row(share, support)));
  $("share-key").hidden = support.shares.length === 0;
  const notReal = support.not_real
    ? `${counted(support.not_real, "nearest case")} not real: not counted. ` : "";
  $("share-key-text").textContent = `${notReal}Bar: share, weighted by similarity. Line: its 95 % interval.`;
  $("caution").textContent = support.caution;
  $("caution").hidden = support.shares.length === 0;
}

function independent({ unit, counted: count, nearest }) {
  return unit === "case" && count !== nearest ? "independent case" : unit;
}

function row({ diagnosis, count, share, low, high }, support) {
  const fill = el("i", { className: "fill" });
  fill.style.width = `${share * 100}%`;
  const whisker = el("i", { className: "whisker" });
  whisker.style.left = `${low * 100}%`;
  whisker.style.width = `${(high - low) * 100}%`;
  return el("li", { className: "share" },
    el("span", { className: "name" }, diagnosis || "no diagnosis given"),
    el("span", { className: "bar", ariaHidden: "true" }, fill, whisker),
    el("span", { className: "figures" },
      el("b", {}, percent(share)),
      ` (${percent(low)} to ${percent(high)}) `,
      el("span", { className: "n" }, `${count} of ${counted(support.counted, support.unit)}`)));
}
