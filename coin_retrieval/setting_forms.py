"""How people write settings in one word; help texts and errors say it alike."""

from __future__ import annotations

ENCODER_FORMS = (
    "starter, a name of `coin models list`, open_clip:NAME@TAG, open_clip:/directory, "
    "hf-hub:ORG/MODEL, "
    "timm:NAME?checkpoint=FILE, timm:/directory, timm:hf-hub:ORG/MODEL, "
    "or a .json or .yaml file of settings"
)
GENERATOR_FORMS = (
    "starter, a name of `coin models list`, a directory, a hub id ORG/MODEL, "
    "or a .json or .yaml file of settings"
)
STORE_FORMS = (
    "auto, flat, ivf?lists=1000&probes=32, hnsw?m=32&ef=128, or a .json or .yaml file of settings"
)
CATALOG_FORMS = "sqlite, or a .json or .yaml file of settings"
