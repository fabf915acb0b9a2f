// What makes pictures for a search, loaded where the server can make such.

export let making = null;

export async function offerMaking(archive, search) {
  if (!archive.layouts && !archive.translator) return;
  const loaded = await import("../making/making.js");
  await loaded.prepare(archive, search);
  making = loaded;
}
