// The picture to search with: chosen, dropped, pasted or photographed.

import { $ } from "../shared/dom.js";
import { t } from "../shared/language.js";
import { dropMarks } from "./marks.js";
import { croppedBy, hideRegion, offerRegion } from "./region.js";

const LONGEST_PX = 4096;

let picture = null;
let searched = null;

/** The file to search with: the whole picture, or the part in the box. */
export const searchedPicture = () => searched;

export async function choosePicture(file) {
  if (!file) return;
  picture = file;
  searched = file;
  $("variations").value = "";
  dropMarks();
  URL.revokeObjectURL($("preview").src);
  hideRegion();
  $("preview").src = URL.createObjectURL(file);
  $("preview").alt = t("picture.yours");
  $("drop-text").textContent = t("drop.other");
  try {
    const bitmap = await createImageBitmap(file);
    if (picture !== file) return;
    // a telephone's photograph: the models see far fewer pixels than it has
    if (Math.max(bitmap.width, bitmap.height) > LONGEST_PX) searched = await shrunk(bitmap);
    offerRegion(async (box) => {
      searched = box ? await croppedBy(bitmap, box) : file;
    });
  } catch {
    // a TIFF, for instance: the server reads it, the browser does not show it
    $("drop-text").textContent = t("drop.unseen", { name: file.name });
  }
}

export function forgetPicture() {
  picture = null;
  searched = null;
  $("variations").value = "";
  URL.revokeObjectURL($("preview").src);
  $("preview").removeAttribute("src");
  $("picture").value = "";
  hideRegion();
}

async function shrunk(bitmap) {
  const by = LONGEST_PX / Math.max(bitmap.width, bitmap.height);
  const canvas = new OffscreenCanvas(Math.round(bitmap.width * by), Math.round(bitmap.height * by));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/png" });
}

export function preparePicture(chooseTab) {
  for (const id of ["picture", "camera"]) {
    $(id).addEventListener("change", () => choosePicture($(id).files[0]));
  }
  for (const kind of ["dragover", "drop"]) {
    window.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      $("drop").classList.toggle("over", kind === "dragover");
      if (kind === "dragover") chooseTab("picture");
      else choosePicture(event.dataTransfer.files[0]);
    });
  }
  window.addEventListener("dragleave", () => $("drop").classList.remove("over"));
  window.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (!file?.type.startsWith("image/")) return;
    chooseTab("picture");
    choosePicture(file);
  });
}
