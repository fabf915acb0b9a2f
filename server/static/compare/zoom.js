// Two panes that zoom and move as one: a picture's centre in fractions of it, and how much larger than fitting.

import { number, t } from "../shared/language.js";

const MOST = 40;
const STEP = 1.25;
const BAR_SHARE = 0.3;
const BARS_UM = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];

export class Zoom {
  /** @param panes elements with a .stage that holds an image; told() hears of each change. */
  constructor(panes, told) {
    this.panes = panes.map((pane) => ({
      pane, stage: pane.querySelector(".stage"), image: pane.querySelector("img"),
      x: 0.5, y: 0.5, level: 1, sourcePx: 0, umPx: null,
    }));
    this.linked = true;
    this.told = told;
    for (const one of this.panes) this.#listen(one);
    new ResizeObserver(() => this.draw()).observe(panes[0].parentElement);
  }

  /** A pane's picture: its width in the source's pixels, and µm a pixel where they are known. */
  describe(index, { widthPx, umPx }) {
    Object.assign(this.panes[index], { sourcePx: widthPx ?? 0, umPx: umPx ?? null });
    this.draw();
  }

  reset() {
    for (const one of this.panes) Object.assign(one, { x: 0.5, y: 0.5, level: 1 });
    this.draw();
  }

  by(factor, about = this.panes.at(-1)) {
    for (const one of this.#moved(about)) one.level = Math.min(Math.max(one.level * factor, 1), MOST);
    this.draw();
  }

  in() { this.by(STEP); }

  out() { this.by(1 / STEP); }

  pan(x, y, about = this.panes.at(-1)) {
    for (const one of this.#moved(about)) {
      one.x += x / one.level;
      one.y += y / one.level;
    }
    this.draw();
  }

  #moved(about) { return this.linked ? this.panes : [about]; }

  draw() {
    for (const one of this.panes) {
      const { stage, image } = one;
      if (!image.naturalWidth || !stage.clientWidth) continue;
      const fit = Math.min(stage.clientWidth / image.naturalWidth, stage.clientHeight / image.naturalHeight);
      const width = image.naturalWidth * fit * one.level;
      const height = image.naturalHeight * fit * one.level;
      one.x = centre(one.x, stage.clientWidth / width);
      one.y = centre(one.y, stage.clientHeight / height);
      image.style.width = `${width}px`;
      image.style.height = `${height}px`;
      image.style.transform = `translate(${stage.clientWidth / 2 - one.x * width}px, ${stage.clientHeight / 2 - one.y * height}px)`;
      this.#scale(one, width);
    }
    this.told(this.panes.at(-1).level);
  }

  #scale({ pane, stage, image, sourcePx, umPx }, width) {
    const source = sourcePx || image.naturalWidth;
    const larger = width / source;
    pane.querySelector(".pixels").textContent = larger > 1.05
      ? t("pixels.enlarged", { px: source, times: number(larger, { maximumFractionDigits: 1 }) })
      : t("pixels", { px: source });
    drawScale(pane.querySelector(".stage .scale"), umPx && umPx / larger, stage.clientWidth);
  }

  #listen(one) {
    const { stage, image } = one;
    const fingers = new Map();
    image.draggable = false;
    image.addEventListener("load", () => this.draw());
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.by(event.deltaY < 0 ? STEP : 1 / STEP, one);
    }, { passive: false });
    stage.addEventListener("dblclick", () => this.by(2, one));
    stage.addEventListener("pointerdown", (event) => {
      stage.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      stage.addEventListener(kind, (event) => fingers.delete(event.pointerId));
    }
    stage.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const apart = () => {
        const [a, b] = [...fingers.values()];
        return Math.hypot(a[0] - b[0], a[1] - b[1]);
      };
      const wide = fingers.size > 1 ? apart() : 0;
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      if (wide) {
        this.by(apart() / wide, one);
        return;
      }
      const side = (length) => length / one.level;
      this.pan(
        (before[0] - event.clientX) / side(image.offsetWidth),
        (before[1] - event.clientY) / side(image.offsetHeight), one);
    });
  }
}

/** A bar of a round length; `umPx` is µm a pixel of the screen, nothing where nobody knows it. */
export function drawScale(bar, umPx, width) {
  bar.hidden = !umPx;
  if (!umPx) return;
  const length = BARS_UM.filter((um) => um <= width * BAR_SHARE * umPx).at(-1) ?? BARS_UM[0];
  bar.style.width = `${length / umPx}px`;
  bar.textContent = `${number(length)} µm`;
}

// what fits stays in the middle; what is larger leaves no gap at an edge
function centre(value, share) {
  return share >= 1 ? 0.5 : Math.min(Math.max(value, share / 2), 1 - share / 2);
}
