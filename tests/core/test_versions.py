"""Versions of installed libraries, and of those that are absent."""

import pydantic
import torch

from core.versions import versions


def test_versions_of_core_and_of_a_domain():
    found = versions(["pydantic", "no-such-library"])
    assert found["pydantic"] == pydantic.VERSION
    assert torch.__version__.startswith(found["torch"])
    assert found["no-such-library"] == "absent"
    assert list(found)[:2] == ["python", "torch"]
