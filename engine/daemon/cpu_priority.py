"""Keeps a DAW responsive: the computing thread runs at low priority and leaves cores free."""

import ctypes
import os
import sys
import threading
from functools import cache

NICENESS = 10
"""How far the device's thread, and every thread that torch starts for it, steps behind those of other programs."""
NOT_DAWS = frozenset({"", "cli", "panel"})
"""Who asks without a DAW that plays meanwhile, by the name in a request."""
LEFT_FREE = 1
"""Cores that are left to a DAW, unless the user says otherwise."""


def lower_priority() -> None:
    """Lower the priority of this thread and of the threads that it starts.

    Where a system knows no such thing or refuses, nothing changes.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
    elif sys.platform == "darwin":  # a class of its own between what the user waits for and the background
        ctypes.CDLL(None).pthread_set_qos_class_self_np(ctypes.c_uint(0x11), ctypes.c_int(0))
    elif sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32")
        kernel.GetCurrentThread.restype = ctypes.c_void_p
        kernel.SetThreadPriority(ctypes.c_void_p(kernel.GetCurrentThread()), -1)  # below normal


def limit_threads(host: str, left_free: int | None) -> int:
    """Limit torch's threads while a DAW asks; returns their number. left_free None: one core is left to whoever asks from a
    DAW, none to others. What torch takes by itself (OMP_NUM_THREADS, or the processor's cores) is the most."""
    import torch

    if left_free is None:
        left_free = 0 if host.casefold() in NOT_DAWS else LEFT_FREE
    wanted = max(1, _all_threads() - left_free)
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
    return wanted


@cache
def _all_threads() -> int:
    """Torch's number of threads before any limit."""
    import torch

    return torch.get_num_threads()
