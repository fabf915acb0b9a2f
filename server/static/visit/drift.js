// For curators: does what is asked move away from what the archive holds?

import { ask, Refusal } from "../shared/api.js";
import { $, el } from "../shared/dom.js";
import { number, percent, t } from "../shared/language.js";

const WEEKS = 26;

/** Offers the panel; the server is asked when it is opened. */
export function offerDrift({ role }) {
  $("drift").hidden = role === "reader";
  $("drift").addEventListener("toggle", show, { once: true });
}

async function show() {
  try {
    const { weeks } = await ask("v1/drift");
    $("drift-weeks").replaceChildren(...weeks.slice(-WEEKS).map(week));
    $("drift-none").hidden = weeks.length > 0;
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    $("drift-none").hidden = false;
  }
}

function week({ name, searches, share_not_close: share, mean_score: score }) {
  const fill = el("i");
  fill.style.width = `${(share ?? 0) * 100}%`;
  return el("tr", {},
    el("th", { scope: "row" }, name),
    el("td", {}, number(searches)),
    el("td", {}, el("span", { className: "bar", ariaHidden: "true" }, fill), share === null ? "–" : percent(share)),
    el("td", {}, score === null ? "–" : number(score, { maximumFractionDigits: 2 })));
}
