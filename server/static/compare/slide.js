// The slide that a picture was cut from, at its place: by OpenSeadragon, which `make page` fetches.

import { $, el } from "../shared/dom.js";
import { t } from "../shared/language.js";
import { drawScale } from "./zoom.js";

const LIBRARY = "static/openseadragon/openseadragon.min.js";
// so many times the picture's own field is shown around it
const AROUND = 6;

let library = null;
let viewer = null;
let shown = null;
// the picture as it is known by now: its size comes with the whole case
let latest = null;

function openSeadragon() {
  library ??= new Promise((resolve) => {
    // it would add a style, for buttons that are not shown, which this page's policy refuses
    const style = document.createElementNS("", "style");
    style.setAttribute("data-openseadragon-mobile-css", "");
    document.head.append(style);
    const script = el("script", { src: LIBRARY });
    script.addEventListener("load", () => resolve(window.OpenSeadragon));
    script.addEventListener("error", () => resolve(null));
    document.head.append(script);
  });
  return library;
}

/** Shows where a picture lies; without the library, where the slide can be had. */
export async function showSlide(image) {
  latest = image;
  if (shown === image.image_id) {
    viewer?.forceRedraw();
    return;
  }
  closeSlide();
  shown = image.image_id;
  const address = `v1/images/${image.image_id}/slide.dzi`;
  const found = await openSeadragon();
  if (shown !== image.image_id) return;
  if (found) open(found, image, address);
  else {
    const { slide_id: id, x_px: x, y_px: y } = image.region;
    $("slide").replaceChildren(el("p", {}, t("slide.elsewhere", { id, x, y }), " ", el("a", { href: address }, t("slide.address"))));
  }
}

function open(OpenSeadragon, { region }, address) {
  const { x_px: x, y_px: y, width_px: width, height_px: height, mpp_um: mpp } = region;
  const scale = el("span", { className: "scale", hidden: true });
  const mine = viewer = OpenSeadragon({
    element: $("slide"), tileSources: address, showNavigationControl: false, showNavigator: true,
    navigatorPosition: "TOP_RIGHT", drawer: "canvas", maxZoomPixelRatio: 4,
  });
  $("slide").append(scale);
  mine.addHandler("open", () => {
    const place = mine.viewport.imageToViewportRectangle(x, y, width, height);
    mine.addOverlay({ element: el("div", { className: "place" }), location: place });
    const wide = place.width * AROUND;
    const high = place.height * AROUND;
    const { x: middleX, y: middleY } = place.getCenter();
    mine.viewport.fitBounds(new OpenSeadragon.Rect(middleX - wide / 2, middleY - high / 2, wide, high), true);
  });
  mine.addHandler("open-failed", () => { $("slide").replaceChildren(el("p", {}, t("slide.gone"))); });
  // µm a pixel are the picture's own; it may have been read coarser than the slide's finest level
  mine.addHandler("update-viewport", () => {
    const larger = mine.viewport.viewportToImageZoom(mine.viewport.getZoom(true));
    drawScale(scale, mpp && (mpp * latest.width_px) / width / larger, $("slide").clientWidth);
  });
}

export function closeSlide() {
  viewer?.destroy();
  viewer = null;
  shown = null;
  $("slide").replaceChildren();
}
