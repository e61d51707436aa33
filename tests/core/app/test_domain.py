"""Runs among the arguments of a command, and the folders that their names stand for."""

import re
from pathlib import Path

import pytest
from fake_domain import fake_domain

from core.app.latent_commands import split_run
from core.errors import ConfigError
from core.files import is_file, is_folder


@pytest.mark.parametrize(
    ("arguments", "count", "run", "rest"),
    [
        (["tango", "a.mid"], 1, "tango", ["a.mid"]),
        (["runs/mine", "a.mid", "b.mid"], 2, "runs/mine", ["a.mid", "b.mid"]),
        (["songs/a.mid", "b.mid"], None, None, ["songs/a.mid", "b.mid"]),
        (["songs/A.MID"], 1, None, ["songs/A.MID"]),
        (["songs/a.mid.gz"], 1, None, ["songs/a.mid.gz"]),
        (["polka", "a.mid"], 2, None, ["polka", "a.mid"]),
        (["a small/red circle"], 1, None, ["a small/red circle"]),
    ],
)
def test_a_run_stands_first_or_is_left_out(tmp_path, arguments, count, run, rest):
    assert split_run(fake_domain(tmp_path), arguments, count) == (run, rest)


@pytest.mark.parametrize("run", [".", "./tango", "../here"])
def test_a_path_is_a_folder_here_and_not_the_weights_of_that_name(tmp_path, monkeypatch, run):
    domain = fake_domain(tmp_path / "weights")
    (tmp_path / "here" / "tango").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert domain.folder(run) == Path(run)
    assert domain.leading_run([run, "1"]) == (run, ["1"])


def test_a_name_of_weights_that_is_also_a_folder_here_is_pointed_out(
    tmp_path, monkeypatch, caplog
):
    domain = fake_domain(tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    assert domain.folder("tango") == tmp_path / "weights" / "tango"
    assert not caplog.records
    (tmp_path / "tango").mkdir()
    assert domain.folder("tango") == tmp_path / "weights" / "tango"
    assert "the folder here is ./tango" in caplog.text


def test_a_file_of_any_kind_is_no_run(tmp_path):
    """It may be a picture, or what the domain refuses with a reason of its own."""
    picture = tmp_path / "x.png"
    picture.touch()
    domain = fake_domain(tmp_path)
    assert split_run(domain, [str(picture)], None) == (None, [str(picture)])
    assert split_run(domain, [str(picture)], 1) == (None, [str(picture)])
    assert split_run(domain, [str(picture), "a"], 1) == (str(picture), ["a"])


def test_a_sentence_longer_than_a_name_of_a_file_is_no_run(tmp_path):
    sentence = "a dog runs " * 200
    assert split_run(fake_domain(tmp_path), [sentence], 1) == (None, [sentence])
    assert not is_file(sentence) and not is_folder("a\0b")


@pytest.mark.parametrize(
    ("arguments", "count", "sentence"),
    [
        ([], None, "give one song or more after the run, if you name one, and not 0"),
        (["tango"], None, "tango is taken for a run: give one song or more after it"),
        (["tango", "a.mid"], 2, "give 2 songs after the run, if you name one, and not 1"),
        (["a.mid", "b.mid"], 1, "give 1 song after the run, if you name one, and not 2"),
    ],
)
def test_another_count_of_arguments_is_refused(tmp_path, arguments, count, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        split_run(fake_domain(tmp_path), arguments, count)
