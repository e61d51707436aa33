"""Half precision is used only where a device computes with it."""

import pytest
import torch

from core.training.device import computes_bf16


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": True}, True),
        ({"avx512_bf16": True, "amx_bf16": False, "amx_tile": True, "amx_int8": True}, False),
        ({"avx512_bf16": True}, False),
        ({"bf16": True, "architecture": "aarch64"}, False),
        ({"avx2": True, "cpu_name": "any"}, False),
    ],
)
def test_a_cpu_trains_in_bfloat16_only_with_amx(monkeypatch, found, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert computes_bf16(torch.device("cpu")) is expected


def test_a_device_of_another_kind_computes_in_single_precision():
    assert not computes_bf16(torch.device("meta"))
