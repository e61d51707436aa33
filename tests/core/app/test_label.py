"""Labels of generated items."""

import os

from core.app.label import name_of, origin


def test_a_name_of_a_file_that_is_no_text_becomes_text_in_names_of_items():
    stem = os.fsdecode(b"caf\xe9")
    assert name_of("vae", 1, f"reconstruction-{stem}") == "vae-seed1-reconstruction-caf?"
    assert origin("vae", of=stem).endswith("vae, of caf?")
