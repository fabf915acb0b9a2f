// What stands on the left: a prototype, the reader's own picture, a case that was pinned, or nothing.

import { here } from "../shared/api.js";
import { $, el } from "../shared/dom.js";
import { t } from "../shared/language.js";
import { titleOf } from "../visit/cards.js";

export const VIEWER_PX = 1024;

let choices = [];
let pinned = null;
let slide = null;
let chosen = "";
let ownAddress = "";

/** Lists what can stand beside a case of this answer. */
export function offerBeside({ drawn: drawings, picture }) {
  URL.revokeObjectURL(ownAddress);
  ownAddress = picture ? URL.createObjectURL(picture) : "";
  const own = picture ? [{
    key: "own", label: t("beside.own"), src: ownAddress, alt: t("picture.yours"),
  }] : [];
  const drawn = drawings.filter(({ passed }) => passed !== false).map((one) => ({
    key: one.id, synthetic: true, src: here(one.path), widthPx: one.provenance.width_px,
    label: one.how ? t(`beside.${one.how}`) : t("beside.prototype", { seed: String(one.seed) }),
    alt: one.how ? t(`made.${one.how}_alt`) : t("prototype.alt", { seed: String(one.seed) }),
  }));
  choices = [...own, ...drawn];
  list();
}

/** Pins a case to the left; `image` is of the whole case. */
export function pin(found, image) {
  pinned = {
    key: "pinned", found, image, src: `${here(image.uri)}?size=${VIEWER_PX}`, widthPx: image.width_px,
    umPx: image.mpp_um, tag: image.origin === "real" ? "" : t(`origin.${image.origin}`), label: t("beside.pinned", { what: `${titleOf(image)} (${found.case_id})` }),
    alt: t("case.alt", { id: found.case_id, what: titleOf(image) }),
  };
  chosen = "pinned";
  list();
}

export function unpin() {
  pinned = null;
}

function list() {
  const all = [...choices, ...(slide ? [slide] : []), ...(pinned ? [pinned] : []), { key: "none", label: t("beside.none") }];
  if (!all.some(({ key }) => key === chosen)) chosen = all[0].key;
  $("viewer-beside").replaceChildren(...all.map(({ key, label }) => el("option", { value: key }, label)));
  $("viewer-beside").value = chosen;
}

/** Offers the slide that a picture was cut from, if it was cut from one. */
export function offerSlide(image) {
  slide = image.region ? { key: "slide", image, label: t("beside.slide") } : null;
  list();
}

export function choose(key) {
  chosen = key;
  list();
}

/** What stands there now, or null. */
export const beside = () => [...choices, slide, pinned].find((one) => one?.key === chosen) ?? null;
