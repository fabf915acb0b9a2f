// Pictures that are made for a search: what the page needs of them where the server can make such.

import { $, el } from "../shared/dom.js";
import { addMessages, name } from "../shared/language.js";
import { offerLayouts, prepareLayout } from "./layout.js";

export { askedLayout, layoutFault, layoutWords, setLayout } from "./layout.js";
export { madeOf, showMeasures } from "./made.js";

/** Fetches words, looks and fields, and offers what the server can. */
export async function prepare({ layouts, translator }, search) {
  const style = el("link", { rel: "stylesheet", href: "static/making/making.css" });
  document.head.append(style);
  const fields = [
    ...(layouts ? [["panel-layout", "layout"]] : []), ...(translator ? [["translating", "translate"]] : []),
  ];
  await Promise.all([addMessages("making"), ...fields.map(async ([id, file]) => {
    $(id).innerHTML = await (await fetch(`static/making/${file}.html`)).text();
  })]);
  for (const [id] of fields) name($(id));
  $("translating").hidden = !translator;
  if (!layouts) return;
  name($("tab-layout").parentElement);
  prepareLayout(search);
  offerLayouts(layouts);
}
