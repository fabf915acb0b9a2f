"""A loaded pipeline made fast, and made to fit the device's memory."""

from __future__ import annotations

from typing import Any

import torch

from coin_retrieval.config import DiffusersGeneratorSettings, Offload
from coin_retrieval.errors import SettingsError
from coin_retrieval.generation.in_place import overwrite
from coin_retrieval.generation.packing import pack, packs
from coin_retrieval.generation.quantising import quantise

_ACTIVATIONS_BYTES = 3 * 10**9
"""What a guided picture of 1024 × 1024 px takes beside SDXL's weights in half precision; estimated,
with room: it was not measured on a GPU."""


def accelerate(pipeline: Any, settings: DiffusersGeneratorSettings, device: torch.device) -> None:
    """Fuse, place, round, pack or compile: in this order, since nothing can be changed afterwards.

    Args:
        pipeline: on the CPU, its LoRAs loaded.

    Raises:
        SettingsError: it has no such network to fuse, round or compile, or the device cannot.
        MissingDependencyError: it is to be rounded, and torchao is not installed.
    """
    _require_graphs(settings, device)
    if settings.fused:
        _fuse(pipeline)
    _place(pipeline, settings, device)
    vae = getattr(pipeline, "vae", None)
    if vae is not None and hasattr(vae, "enable_tiling"):
        side = max(settings.width_px or 0, settings.height_px or 0)
        if side >= settings.vae_tiles_from_px:
            vae.enable_tiling()
    if settings.quantised is not None:
        quantise(network_of(pipeline), settings.quantised, device)
    if compiles(settings, device):
        _compile(pipeline, graphs=settings.cuda_graphs)
    elif settings.fused:
        for network in filter(None, (network_of(pipeline), vae)):
            if packs(network.dtype, device):
                pack(network)


def network_of(pipeline: Any) -> Any:
    """What denoises: the U-Net or transformer, ``None`` of other pipelines."""
    return getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)


def compiles(settings: DiffusersGeneratorSettings, device: torch.device) -> bool:
    """Whether the network is compiled: if asked, or on a GPU in a preset or for its graphs."""
    if settings.compiled is not None:
        return settings.compiled
    chosen = settings.cuda_graphs or settings.preset is not None
    return chosen and device.type == "cuda"


def _require_graphs(settings: DiffusersGeneratorSettings, device: torch.device) -> None:
    if settings.cuda_graphs and (device.type != "cuda" or settings.compiled is False):
        raise SettingsError(
            "CUDA graphs are recorded of compiled networks on a GPU",
            value={"cuda_graphs": True, "device": str(device), "compiled": settings.compiled},
            expected="a CUDA device, and compiled left out or true",
            remedy="leave cuda_graphs out",
        )


def choose_offload(*, free: int, weights: int, largest: int) -> Offload:
    """What fits: everything, one network at a time, or one group of layers at a time.

    Args:
        free: bytes of the GPU's memory.
        weights: bytes of all networks.
        largest: bytes of the largest one.
    """
    if weights + _ACTIVATIONS_BYTES <= free:
        return "none"
    return "model" if largest + _ACTIVATIONS_BYTES <= free else "group"


def _fuse(pipeline: Any) -> None:
    adapters = pipeline.get_list_adapters() if hasattr(pipeline, "get_list_adapters") else {}
    if adapters:
        pipeline.fuse_lora(safe_fusing=True)
        pipeline.unload_lora_weights()  # the layers around the weights; what is fused stays
    if hasattr(pipeline, "fuse_qkv_projections"):
        pipeline.fuse_qkv_projections(vae=False)
    for module in _networks(pipeline):
        module.to(memory_format=torch.channels_last)
        overwrite(module)


def _place(pipeline: Any, settings: DiffusersGeneratorSettings, device: torch.device) -> None:
    offload = settings.offload if device.type == "cuda" else "none"
    if offload == "auto":
        sizes = [_bytes(module) for module in _networks(pipeline)]
        offload = choose_offload(
            free=torch.cuda.mem_get_info(device)[0], weights=sum(sizes), largest=max(sizes)
        )
    if offload != "none" and (settings.cuda_graphs or settings.quantised):
        raise SettingsError(
            "the GPU has too little memory for networks that have to stay in it",
            value={"offload": offload, "quantised": settings.quantised},
            expected="offload none, with cuda_graphs or quantised",
            remedy="leave cuda_graphs and quantised out",
        )
    if offload == "none":
        pipeline.to(device)
    elif offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_group_offload(
            onload_device=device, offload_type="leaf_level", use_stream=True
        )


def _compile(pipeline: Any, *, graphs: bool) -> None:
    network = network_of(pipeline)
    if network is None or not getattr(network, "_repeated_blocks", None):
        raise SettingsError(
            "this pipeline's network cannot be compiled by its blocks",
            value=type(network).__name__,
            expected="a network of diffusers that names its repeated blocks",
            remedy="leave compiled out",
        )
    if not graphs:
        network.compile_repeated_blocks(fullgraph=True)
        return
    network.compile_repeated_blocks(fullgraph=True, mode="reduce-overhead")
    # what blocks gave at the step before may be overwritten from here on
    network.register_forward_pre_hook(_begin_step)


def _begin_step(*_: object) -> None:
    torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]


def _networks(pipeline: Any) -> list[torch.nn.Module]:
    return [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]


def _bytes(module: torch.nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
