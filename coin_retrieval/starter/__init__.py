"""The embedded default: small models that this project trained, and where they lie on disk.

The directories are in diffusers' and open_clip's own formats and load through the same classes as
any other model; only the text tower comes from a package (:mod:`.minilm`), and what adapts it lies
with them.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent
GENERATOR = ROOT / "generator"
ENCODER = ROOT / "encoder"
DEMONSTRATION = ROOT / "demonstration"
SENTENCES = ROOT / "sentences.safetensors"
COLOURS = ROOT / "colours.json"
