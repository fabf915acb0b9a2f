// The larger view, loaded when it is first opened.

let searchLike = () => {};
let loaded = null;

/** `search` searches with a picture that a reader chose there. */
export function prepareViewer(search) { searchLike = search; }

async function viewer() {
  loaded ??= import("../compare/compare.js").then((module) => {
    module.prepareViewer(searchLike);
    return module;
  });
  return loaded;
}

export const openCases = async (...of) => (await viewer()).openCases(...of);
export const openPrototype = async (...of) => (await viewer()).openPrototype(...of);
export const openBeside = async (...of) => (await viewer()).openBeside(...of);
