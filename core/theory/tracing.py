"""Tracing: a network is written down as a graph, for other programs."""

import torch


def is_traced() -> bool:
    """Return True while torch traces a network: no size may then depend on values."""
    return torch.compiler.is_exporting() or torch.jit.is_tracing()  # type: ignore[attr-defined]
