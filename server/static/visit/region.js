// A box on the picture: only what lies in it is searched. Drawn with a pointer, or moved by keys.

import { $ } from "../shared/dom.js";
import { t } from "../shared/language.js";

const LEAST = 0.02;
const STEP = 0.02;

// in fractions of the picture
let box = null;
let tell = () => {};

/** `changed` hears of each box that is set, and of `null` where the whole picture is searched. */
export function offerRegion(changed) {
  tell = changed;
  $("region").hidden = false;
  set(null);
}

export function hideRegion() {
  box = null;
  tell = () => {};
  $("region").hidden = true;
}

/** The part of a picture in a box, in the picture's own pixels, as a PNG. */
export async function croppedBy(bitmap, { x, y, width, height }) {
  const at = (share, of) => Math.round(share * of);
  const canvas = new OffscreenCanvas(
    Math.max(1, at(width, bitmap.width)), Math.max(1, at(height, bitmap.height)));
  canvas.getContext("2d").drawImage(bitmap, -at(x, bitmap.width), -at(y, bitmap.height));
  return canvas.convertToBlob({ type: "image/png" });
}

function set(next, settled = true) {
  box = next;
  const node = $("region-box");
  node.hidden = !box;
  $("region-keys").hidden = !box;
  $("region-whole").hidden = !box;
  $("region-add").hidden = Boolean(box);
  if (box) {
    for (const [side, share] of Object.entries({ left: box.x, top: box.y, width: box.width, height: box.height })) {
      node.style[side] = `${share * 100}%`;
    }
  }
  $("region-words").textContent = box
    ? t("region.part", { width: pixels(box.width, "naturalWidth"), height: pixels(box.height, "naturalHeight") })
    : t("region.draw");
  if (settled) tell(box);
}

const pixels = (share, side) => Math.round(share * $("preview")[side]);
const within = (value, low, high) => Math.min(Math.max(value, low), high);

function pointAt(event) {
  const frame = $("preview").getBoundingClientRect();
  return {
    x: within((event.clientX - frame.left) / frame.width, 0, 1),
    y: within((event.clientY - frame.top) / frame.height, 0, 1),
  };
}

$("region-field").addEventListener("pointerdown", (begun) => {
  if (begun.button) return;
  begun.preventDefault();
  const from = pointAt(begun);
  const field = $("region-field");
  field.setPointerCapture(begun.pointerId);
  const drawn = (event) => {
    const to = pointAt(event);
    return {
      x: Math.min(from.x, to.x), y: Math.min(from.y, to.y),
      width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y),
    };
  };
  const move = (event) => set(drawn(event), false);
  field.addEventListener("pointermove", move);
  field.addEventListener("pointerup", (event) => {
    field.removeEventListener("pointermove", move);
    const last = drawn(event);
    // a mere click is no box
    if (last.width > LEAST && last.height > LEAST) set(last);
    else set(null);
  }, { once: true });
});

$("region-add").addEventListener("click", () => {
  set({ x: 0.25, y: 0.25, width: 0.5, height: 0.5 });
  $("region-box").focus();
});
$("region-whole").addEventListener("click", () => {
  set(null);
  $("region-add").focus();
});

$("region-box").addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!way) return;
  event.preventDefault();
  const [x, y] = way.map((one) => one * STEP);
  set(event.shiftKey
    ? {
      ...box,
      width: within(box.width + x, LEAST, 1 - box.x), height: within(box.height + y, LEAST, 1 - box.y),
    }
    : { ...box, x: within(box.x + x, 0, 1 - box.width), y: within(box.y + y, 0, 1 - box.height) });
});
