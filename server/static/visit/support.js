// What the nearest cases say, and how little: never a bare label.

import { $, el } from "../shared/dom.js";
import { language, percent, t } from "../shared/language.js";

const SHOWN = 6;

export function showSupport({ support, closeness }) {
  $("support").hidden = !support;
  if (!support) return;
  const { shares, heading, not_real: notReal } = support;
  const far = closeness.verdict === "no";
  $("support").classList.toggle("doubtful", far);
  $("support-title").textContent = shares.length
    ? t(far ? "support.far" : "support", { of: evidence(support) })
    : t("support.none");
  $("support-heading").textContent = language === "en" ? heading : t(support.nearest ? "lead.only_own" : "lead.none_real");
  $("support-heading").hidden = shares.length > 0;
  $("share-list").replaceChildren(...shares.slice(0, SHOWN).map((share) => row(share, support)));
  const more = shares.slice(SHOWN);
  $("more-shares").hidden = more.length === 0;
  $("more-shares").open = false;
  $("more-shares-title").textContent = t("support.more", { n: more.length });
  $("more-share-list").replaceChildren(...more.map((share) => row(share, support)));
  $("share-key").hidden = shares.length === 0;
  $("share-key-text").textContent = `${notReal ? t("support.not_real", { n: notReal }) : ""} ${t("support.key")}`.trim();
  $("caution").hidden = shares.length === 0;
}

const evidence = ({ unit, counted, nearest }) =>
  t(unit === "case" && counted !== nearest ? "unit.independent" : `unit.${unit}`, { n: counted });

function row({ diagnosis, count, share, low, high }, support) {
  const fill = el("i", { className: "fill" });
  fill.style.width = `${share * 100}%`;
  const whisker = el("i", { className: "whisker" });
  whisker.style.left = `${low * 100}%`;
  whisker.style.width = `${(high - low) * 100}%`;
  return el("li", { className: "share" },
    el("span", { className: "name" }, diagnosis || t("no_diagnosis")),
    el("span", { className: "bar", ariaHidden: "true" }, fill, whisker),
    el("span", { className: "figures" },
      el("b", {}, percent(share)),
      ` (${t("support.interval", { low: percent(low), high: percent(high) })}) `,
      el("span", { className: "n" }, t("support.n", { count, of: t(`unit.${support.unit}`, { n: support.counted }) }))));
}
