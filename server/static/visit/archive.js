// The archive: what it holds, what can be asked of it, and the filters.

import { ask, Refusal } from "../shared/api.js";
import { $, el, words } from "../shared/dom.js";
import { date, has, number, t } from "../shared/language.js";
import { logIn } from "../shared/login.js";
import { patiently } from "../shared/waiting.js";

const MAIN_FILTERS = ["site", "specimen", "stain", "diagnosis"];
const NO_FILTERS = ["case_id", "origin"];

export let archive = null;
export let session = null;

export async function readArchive() {
  $("facts").textContent = t("facts.reading");
  while (!archive) {
    try {
      session = await logIn();
      archive = await patiently(() => ask("v1/archive"), ({ detail }) => {
        $("facts").textContent = t(detail.kind === "not_ready" ? "facts.loading" : "facts.busy");
      });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.detail.kind === "unauthenticated") continue;
      $("facts").textContent = t("facts.unreadable");
      throw refusal;
    }
  }
  show();
}

export const fieldName = (name) => has(`field.${name}`) ? t(`field.${name}`)
  : words(name).replace(/^./, (first) => first.toUpperCase());
export const modeName = (mode) => has(`mode.${mode}`) ? t(`mode.${mode}`) : mode;

function show() {
  $("facts").replaceChildren(
    el("b", {}, number(archive.images)), ` ${t("facts.images", { n: archive.images })} · `,
    el("b", {}, number(archive.cases)), ` ${t("facts.cases", { n: archive.cases })} · `,
    t("facts.of", { date: date(archive.created_at) }));
  $("facts").title = t("facts.title", {
    encoder: archive.encoder.name, version: archive.version, generator: archive.generator ?? "–",
  });
  $("demonstration").hidden = !archive.demonstration;
  $("mode").replaceChildren(...archive.modes.map((mode) => el("option", { value: mode }, modeName(mode))));
  $("prototypes").value = archive.prototypes;
  const draws = archive.modes.includes("fused") || archive.modes.includes("prototype");
  $("prototypes").closest(".field").hidden = !draws;
  $("seed").closest(".field").hidden = !draws && !archive.layouts;
  for (const button of document.querySelectorAll(".vary")) button.hidden = !archive.varies;
  const usable = archive.fields.filter((f) => f.distinct > 1 && !NO_FILTERS.includes(f.name));
  const main = MAIN_FILTERS.flatMap((name) => usable.filter((f) => f.name === name));
  const more = usable.filter((f) => !MAIN_FILTERS.includes(f.name));
  $("main-filters").replaceChildren(...main.map(filter));
  $("more-filters").replaceChildren(...more.map(filter));
  $("more").hidden = more.length === 0;
  $("filters").hidden = usable.length === 0;
}

function filter(field) {
  const id = `filter-${field.name}`;
  const select = el("select", { id, name: field.name });
  select.append(
    el("option", { value: "" }, t("filters.any")),
    ...field.values.map(({ value, images }) => el("option", { value }, `${value} (${number(images)})`)));
  return el("div", { className: "field" }, el("label", { htmlFor: id }, fieldName(field.name)), select);
}

/** The filters that are set, as field → value. */
export function where() {
  const chosen = [...$("filters").querySelectorAll("select")].filter((select) => select.value);
  return Object.fromEntries(chosen.map((select) => [select.name, select.value]));
}

export function setWhere(filters) {
  for (const select of $("filters").querySelectorAll("select")) {
    const value = [filters[select.name] ?? ""].flat()[0];
    select.value = [...select.options].some((option) => option.value === value) ? value : "";
  }
}
