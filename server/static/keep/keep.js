// Keeping an answer: on paper, as JSON, as a link.

import { $, el } from "../shared/dom.js";
import { date, list, t } from "../shared/language.js";
import { archive, fieldName, modeName } from "../visit/archive.js";
import { making } from "../visit/making.js";
import { shown } from "../visit/answer.js";
import { linkOf } from "./link.js";

const DIGEST_SHOWN = 16;

/** What the printed sheet says above the answer. */
export function fillSheet({ asked, answer, at }) {
  const { plan, query, plan_digest: digest } = answer;
  const facts = [
    [t("sheet.date"), date(at)],
    [t("sheet.archive"), t("sheet.version", { version: plan.archive_version, date: date(archive.created_at) })],
    [t("sheet.plan"), digest.slice(0, DIGEST_SHOWN)],
    [t("options.mode"), modeName(query.mode)],
    ...Object.entries(asked.where ?? {}).map(([name, value]) => [fieldName(name), list([value].flat())]),
    ...(asked.layout ? [[t("ask.layout"), making.layoutWords(asked.layout)]] : []),
    ...(asked.unlike ? [[t("options.unlike"), asked.unlike]] : []),
  ];
  $("sheet-facts").replaceChildren(...facts.map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  $("sheet-report").hidden = !asked.report;
  $("sheet-report-text").textContent = asked.report ?? "";
}

function saveJson() {
  const { answer } = shown;
  const address = URL.createObjectURL(new Blob([JSON.stringify(answer, null, 2)], { type: "application/json" }));
  const name = `coin-${answer.plan_digest.slice(0, DIGEST_SHOWN)}.json`;
  el("a", { href: address, download: name }).click();
  URL.revokeObjectURL(address);
  $("kept").textContent = t("keep.json_done", { name });
}

async function copyLink() {
  const link = new URL(await linkOf(shown.answer, shown.asked), window.location.href).href;
  try {
    await navigator.clipboard.writeText(link);
    $("kept").textContent = t("keep.link_done");
  } catch {
    // not on a secure address, or not allowed: it stands in the address bar
    $("kept").textContent = t("keep.link_bar");
  }
}

export function prepareKeeping() {
  $("keep-print").addEventListener("click", () => window.print());
  $("keep-json").addEventListener("click", saveJson);
  $("keep-link").addEventListener("click", copyLink);
  // what is folded on the screen shows on paper; pictures below the screen are fetched for it
  window.addEventListener("beforeprint", () => {
    for (const image of document.querySelectorAll("#answer img[loading]")) image.loading = "eager";
  });
}
