// Cases and prototypes as cards.

import { here } from "../shared/api.js";
import { el, joined } from "../shared/dom.js";
import { list, percent, t } from "../shared/language.js";
import { markButtons } from "./marks.js";

export const CARD_PX = 256;
const SMALL_PX = 96;
const LARGEST = 3;
// shares of the archive's neighbouring pictures that are less alike
const LEVELS = [[0.75, "very"], [0.25, "usual"], [0.05, "less"], [0, "far"]];

export const titleOf = (found) => found.diagnosis || found.finding || t("no_diagnosis");

function picture(found, open, ...over) {
  const [best] = found.images;
  const image = el("img", {
    src: `${here(best.uri)}?size=${CARD_PX}`,
    alt: t("case.alt", { id: found.case_id, what: joined(titleOf(found), found.site) }),
    loading: "lazy", decoding: "async",
  });
  const button = el("button", { type: "button", className: "picture" }, image, ...over);
  // thumbnails are never enlarged: a small one tells of a small picture
  image.addEventListener("load", () => {
    const longer = Math.max(image.naturalWidth, image.naturalHeight);
    if (longer >= SMALL_PX) return;
    image.style.maxWidth = `${image.naturalWidth * LARGEST}px`;
    image.style.maxHeight = `${image.naturalHeight * LARGEST}px`;
    button.append(el("span", { className: "pixels", title: t("case.small_title") },
      `${image.naturalWidth} × ${image.naturalHeight} px`));
  });
  button.addEventListener("click", open);
  return button;
}

export function caseCard(found, index, cases, open) {
  const [best] = found.images;
  const title = titleOf(found);
  const others = found.diagnoses.filter((name) => name && name !== found.diagnosis);
  return el("li", {}, el("article", { className: "case" },
    picture(found, open,
      el("span", { className: "rank", ariaHidden: "true" }, String(index + 1)),
      found.images.length > 1
        ? el("span", { className: "count" }, t("case.images", { n: found.images.length })) : null,
      best.origin === "real" ? null : el("span", { className: "tag" }, t(`origin.${best.origin}`))),
    el("div", { className: "text" },
      el("h4", {}, title),
      nearness(found),
      found.finding && found.finding !== title ? el("p", { className: "finding" }, found.finding) : null,
      others.length ? el("p", { className: "also" }, t("case.also", { names: list(others) })) : null,
      repetition(found, cases),
      folded(found),
      el("p", { className: "place" }, joined(found.site, found.specimen, found.stain)),
      el("p", { className: "id" }, found.case_id)),
    markButtons(found.case_id)));
}

export function smallCard(found, note, open) {
  return el("li", { className: "small" },
    picture(found, open),
    note ? el("p", { className: "hint" }, note) : nearness(found, true),
    note ? el("p", {}, titleOf(found)) : null,
    el("p", { className: "id" }, found.case_id));
}

/** How near a case is on the archive's own scale: among its pictures' own neighbours. */
export function nearness({ standing, similarity }, brief = false) {
  const share = standing ?? Math.max(0, similarity);
  const fill = el("i");
  fill.style.width = `${share * 100}%`;
  const measured = standing !== null;
  const figure = measured ? percent(standing) : t("near.similarity", { value: similarity.toFixed(2) });
  const [, level] = LEVELS.find(([least]) => share >= least);
  return el("div", {
    className: "similarity", title: measured ? t("near.title", { share: figure }) : figure,
  }, el("div", { className: "bar", ariaHidden: "true" }, fill),
  el("span", {}, measured && !brief ? t(`near.${level}`, { share: figure }) : figure));
}

function repetition(found, cases) {
  if (!found.repeats) return null;
  const place = cases.findIndex((one) => one.case_id === found.repeats) + 1;
  return el("p", { className: "repeats" }, t(`repeats.${found.repeats_because || "picture"}`, {
    of: place ? t("repeats.place", { place }) : t("repeats.own"),
  }));
}

function folded({ near_duplicates: repeats, diagnosis }) {
  if (!repeats.length) return null;
  const others = [...new Set(repeats.map((repeat) => repeat.diagnosis))]
    .filter((name) => name && name !== diagnosis);
  return el("p", {
    className: "repeats",
    title: t("duplicates.title", { ids: list(repeats.map((repeat) => repeat.case_id)) }),
  }, t("duplicates", { n: repeats.length }), others.length ? ` ${t("duplicates.called", { names: list(others) })}` : "");
}

export function prototypeCard(prototype, open) {
  const { seed, passed, shows, how } = prototype;
  const failed = passed === false;
  const verdict = failed ? el("span", { className: "failed" }, t("prototype.failed", { shows }))
    : passed ? el("span", { className: "passed" }, t("prototype.passed", { shows })) : null;
  const button = el("button", { type: "button", className: `prototype${failed ? " refused" : ""}` },
    el("span", { className: "marked" },
      el("img", { src: here(prototype.path), alt: how ? t(`made.${how}_alt`) : t(failed ? "prototype.alt_failed" : "prototype.alt", { seed }) }),
      el("span", { className: "across", ariaHidden: "true" }, t("synthetic"))),
    el("small", {}, el("b", {}, t("synthetic")), ` ${how ? t(`made.${how}`) : t("prototype.seed", { seed: String(seed) })}`),
    verdict);
  button.addEventListener("click", open);
  return el("li", {}, button);
}
