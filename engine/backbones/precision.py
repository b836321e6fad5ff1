"""Which number format a network runs in: half the time of float32 where the hardware means it."""

import torch


def network_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, float16 on older CUDA and on MPS, else float32.

    Only networks run in it: the state of a descent stays float32, or the DDPM round trip loses its exactness (1.7e-3).
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.float16
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32
