// What the archive records of a picture, beside another's: where they differ, it is marked.

import { $, el } from "../shared/dom.js";
import { number, t } from "../shared/language.js";
import { fieldName } from "../visit/archive.js";

/** Rows of a picture of a case, as [name, value]; the whole case may not be there yet. */
export function attributesOf(found, image) {
  return [
    [t("fact.case"), found.case_id],
    [fieldName("site"), found.site],
    [fieldName("specimen"), found.specimen],
    [fieldName("stain"), found.stain],
    [t("fact.size"), image.width_px ? `${image.width_px} × ${image.height_px} px` : ""],
    [t("fact.scale"), image.mpp_um ? t("fact.mpp", { um: number(image.mpp_um, { maximumFractionDigits: 3 }) }) : ""],
    ...Object.entries(image.attributes ?? {}).map(([name, value]) => [fieldName(name), value]),
  ].filter(([, value]) => value !== "" && value !== null && value !== undefined);
}

/** One column, or two: `beside` is { title, rows } of the picture on the left. */
export function showAttributes(rows, title, beside = null) {
  const [head, body] = $("viewer-facts").querySelectorAll("thead, tbody");
  const here = new Map(rows);
  const there = new Map(beside?.rows ?? []);
  head.replaceChildren(...(beside ? [el("tr", {},
    el("td", {}),
    el("th", { scope: "col" }, beside.title),
    el("th", { scope: "col" }, title))] : []));
  const names = [...new Set([...here.keys(), ...there.keys()])];
  body.replaceChildren(...names.map((name) => {
    const differs = beside && name !== t("fact.case") && here.get(name) !== there.get(name);
    return el("tr", { className: differs ? "differs" : "" },
      el("th", { scope: "row" }, name),
      beside ? el("td", {}, there.get(name) ?? "–") : null,
      el("td", {}, String(here.get(name) ?? "–"),
        differs ? el("span", { className: "visually-hidden" }, ` (${t("fact.differs")})`) : null));
  }));
}
