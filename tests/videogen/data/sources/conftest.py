"""A folder of clips and texts."""

from pathlib import Path

import pytest
from listings import write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(
        tmp_path / "clips",
        a_red_dog_dot_mp4="x",
        b_dot_mkv="x",
        b_dot_txt=" two\n lines ",
        dogs__rex_dot_gif="x",
        dogs__max_dot_gif="x",
        dogs__max_dot_txt="max",
        notes_dot_md="x",
    )
