// Why a picture was found: what each part of the query brought to its score.

import { $, el } from "./dom.js";

const NAMES = {
  text: "Report text",
  prototype: "Drawing, seed",
  image: "Your picture",
  liked: "Like case",
  disliked: "Unlike case",
  unlike: "Not looked for",
  archive: "Common to all pictures",
};

export function showWhy(image) {
  const parts = image?.parts ?? [];
  $("viewer-why").hidden = parts.length === 0;
  $("viewer-why-title").textContent = "Why this picture";
  const most = Math.max(...parts.map((part) => Math.abs(part.share)), 1e-9);
  $("viewer-why-list").replaceChildren(...parts.map((part) => {
    const fill = el("i", { className: part.share < 0 ? "less" : "" });
    fill.style.width = `${(Math.abs(part.share) / most) * 100}%`;
    const own = `${part.share < 0 ? "−" : "+"}${Math.abs(part.share).toFixed(3)}`;
    return el("li", { title: `its own similarity to this part: ${part.cosine.toFixed(3)}` },
      el("span", {}, `${NAMES[part.kind] ?? part.kind} ${part.label}`.trim()),
      el("span", { className: "bar", ariaHidden: "true" }, fill),
      el("span", { className: "n" }, own));
  }));
}
