"""Why a case was found, in words: its score as the sum of the query's parts."""

from __future__ import annotations

from coin_retrieval.presenting.answer import ImageAnswer, PartAnswer

_NAMES = {
    "text": "report text",
    "prototype": "prototype of seed",
    "image": "picture",
    "variation": "variation of seed",
    "liked": "liked case",
    "disliked": "disliked case",
    "unlike": "what is not looked for",
    "archive": "common to the archive",
}


def part_name(part: PartAnswer) -> str:
    """A part of a query as people call it."""
    return f"{_NAMES.get(part.kind, part.kind)} {part.label}".strip()


def explanation(image: ImageAnswer) -> str:
    """The picture's score and what each part of the query brought to it, a line each."""
    if image.score is None:
        return "no parts are known of this picture"
    lines = [f"score {image.score:.4f} is the sum of"]
    for part in image.parts:
        rank = "" if part.rank is None else f", alone at rank {part.rank}"
        lines.append(f"  {part.share:+.4f}  {part_name(part)} (cosine {part.cosine:.3f}{rank})")
    return "\n".join(lines)
