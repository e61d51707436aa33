"""Sizes of a state, and its way through JSON and named tensors and back."""

import pytest
import torch

from core.errors import Resumable
from core.training.serialisation import join, size_bytes, split


def test_bytes_are_those_of_all_tensors_however_nested():
    state = {"a": torch.zeros(3, 2), "b": [torch.zeros(5, dtype=torch.float16), ("x", 7)]}
    assert size_bytes(state) == 3 * 2 * 4 + 5 * 2
    assert size_bytes((torch.zeros(1, dtype=torch.int64), None)) == 8


def test_tensors_are_named_by_their_place_and_come_back():
    state = {"a": [torch.tensor([1.0, 2.0]), 3], "b": (None, {"c": torch.tensor(4)})}
    value, tensors = split(state, "adam")
    assert set(tensors) == {"/a/0", "/b/1/c"}
    joined = join(value, dict(tensors))
    assert joined["a"][1] == 3 and isinstance(joined["b"], tuple) and joined["b"][0] is None
    assert torch.equal(joined["a"][0], torch.tensor([1.0, 2.0]))
    assert joined["b"][1]["c"].item() == 4


def test_what_is_stored_is_a_copy():
    weight = torch.ones(2)
    _, tensors = split({"w": weight}, "networks")
    weight.zero_()
    assert tensors["/w"].tolist() == [1, 1]


def test_what_is_not_finite_is_not_stored():
    with pytest.raises(Resumable, match=r"networks/w/1 is not finite"):
        split({"w": [torch.ones(1), torch.tensor([1.0, float("inf")])]}, "networks")


def test_two_tensors_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two tensors would be stored as networks/a/b"):
        split({"a": {"b": torch.ones(1)}, "a/b": torch.ones(1)}, "networks")
