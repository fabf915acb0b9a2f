// A study's pictures: fetched with the reader's token, which no address and no log ever holds.

import { send } from "../shared/api.js";

export const token = window.location.hash.slice(1);
export const proof = { "X-Study-Reader": token };

const addresses = new Map();

/** Shows a picture of the study in an <img>. */
export async function show(image, name) {
  if (!addresses.has(name)) {
    const response = await send(`v1/study/pictures/${encodeURIComponent(name)}`, { headers: proof });
    addresses.set(name, URL.createObjectURL(await response.blob()));
  }
  image.src = addresses.get(name);
  await image.decode();
}
