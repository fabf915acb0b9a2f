// Why a picture was found: what each part of the query brought to its score.

import { $, el } from "../shared/dom.js";
import { number, t } from "../shared/language.js";

const figure = (value) => number(value, { minimumFractionDigits: 3, maximumFractionDigits: 3 });

export function showWhy(image, made = null) {
  const parts = image?.parts ?? [];
  $("viewer-why").hidden = parts.length === 0;
  const most = Math.max(...parts.map((part) => Math.abs(part.share)), 1e-9);
  $("viewer-why-list").replaceChildren(...parts.map((part) => {
    const fill = el("i", { className: part.share < 0 ? "less" : "" });
    fill.style.width = `${(Math.abs(part.share) / most) * 100}%`;
    return el("li", { title: t("why.own", { value: figure(part.cosine) }) },
      el("span", {}, t(part.kind === "image" && made ? "why.made" : `why.${part.kind}`, { label: part.label })),
      el("span", { className: "bar", ariaHidden: "true" }, fill),
      el("span", { className: "n" }, `${part.share < 0 ? "−" : "+"}${figure(Math.abs(part.share))}`));
  }));
}
