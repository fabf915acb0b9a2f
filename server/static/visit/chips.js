// Where was searched, as chips: each can be lifted, and what is searched then is one click away.

import { $, el } from "../shared/dom.js";
import { list, t } from "../shared/language.js";
import { fieldName, setWhere } from "./archive.js";

let again = () => {};

export function prepareChips(search) { again = search; }

export function showChips({ query: { site, specimens, specimen } }, asked) {
  const filters = Object.entries(asked.where ?? {}).map(([name, value]) =>
    chip(`${fieldName(name)}: ${list([value].flat())}`, t("chips.lift", { name: fieldName(name) }), () => {
      const { [name]: _, ...rest } = asked.where;
      setWhere(rest);
    }));
  const varied = asked.variations ? [chip(t("chips.varied", { n: asked.variations }), t("chips.unvaried"),
    () => { $("variations").value = ""; })] : [];
  const translated = asked.translate
    ? [chip(t("chips.translated"), t("chips.untranslated"), () => { $("translate").checked = false; })] : [];
  $("chips").replaceChildren(...translated, ...specimens.length ? ofSpecimens(specimens, specimen) : [], ...varied, ...filters, ...(site && !site.lacking && site.how !== "asked" ? ofSite(site) : []));
}

function ofSpecimens(names, searched) {
  return [...names, ""].map((name) => {
    const node = offer(name ? t("chips.specimen", { name }) : t("chips.specimens"),
      () => { $("specimen").value = name || "all"; });
    node.firstChild.setAttribute("aria-pressed", String(name === searched));
    return node;
  });
}

function ofSite(site) {
  const tick = (id, on) => () => { $(id).checked = on; };
  if (!site.applied) {
    return [offer(t("chips.only", { site: site.name }), tick("all-sites", false))];
  }
  const because = t(`chips.${site.how}`, { site: site.name, n: site.images });
  const unspecified = site.unspecified_images && !site.with_unspecified
    ? [offer(t("chips.unspecified", { n: site.unspecified_images }), tick("unspecified-sites", true))] : [];
  return [chip(because, t("chips.all_sites"), tick("all-sites", true)), ...unspecified];
}

function chip(text, label, lift) {
  const cross = el("button", { type: "button", ariaLabel: label, title: label }, "✕");
  cross.addEventListener("click", () => { lift(); again(); });
  return el("li", { className: "chip" }, el("span", {}, text), cross);
}

function offer(text, choose) {
  const node = el("button", { type: "button" }, text);
  node.addEventListener("click", () => { choose(); again(); });
  return el("li", { className: "chip is-offer" }, node);
}
