"""Half precision is used only where a device computes with it."""

import pytest
import torch

from core.training.device import computes_bf16


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16"])
def test_a_processor_says_whether_it_multiplies_bfloat16(monkeypatch, name):
    found = {"avx2": True, "avx512_bf16": False, "amx_bf16": False, "cpu_name": "any"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert not computes_bf16(torch.device("cpu"))
    found[name] = True
    assert computes_bf16(torch.device("cpu"))


def test_a_device_of_another_kind_computes_in_single_precision():
    assert not computes_bf16(torch.device("meta"))
