"""README and the pages of docs/: each command is parsed, each snippet runs, each link leads on."""

import ast
import functools
import importlib.util
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import run
from conftest import REPOSITORY
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli import app

CARDS = sorted(REPOSITORY.glob("*gen/weights/*/README.md"))
PAGES = [
    *(REPOSITORY / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *CARDS,
]
RECORDS = [REPOSITORY / "CHANGELOG.md", REPOSITORY / "EXPERIMENTS.md"]
"""Pages of what was so once: their commands are those of their day."""
SLOW = ("Model.load", "train(")
"""Snippets with one of these take longer than a second."""


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The language and the lines of each block of code, fenced or indented."""
    fence = r"^```(\w*)\n(.*?)^```$"
    yield from ((found[1], found[2]) for found in re.finditer(fence, text, re.S | re.M))
    prose = re.sub(fence, "", text, flags=re.S | re.M)
    for block in re.findall(r"(?:^    .*\n|^[ ]*\n(?=    ))+", prose, re.M):
        yield "", "\n".join(line[4:] for line in block.splitlines()).strip("\n")


def commands(text: str) -> Iterator[str]:
    """The commands `pianoreel ...` of a page, in blocks and within sentences."""
    spans = re.findall(
        r"`(pianoreel [^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    )
    yield from (" ".join(span.split()) for span in spans if not re.search(r"\b[A-Z]{4,}\b", span))
    for language, block in blocks(text):
        if language != "python":
            joined = re.sub(r"\\\n\s*", "", block)
            yield from re.findall(r"(?:^|[\s=])(pianoreel .*)$", joined, re.M)


def words_of(command: str) -> list[str]:
    """The arguments of a command; a letter that stands for any number is 1."""
    words = shlex.split(command, comments=True)[1:]
    return ["1" if word == "N" else word for word in words]


@functools.cache
def whole_command() -> Any:
    return get_command(app)


def parsed(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Parse a command as the command line does, and run nothing."""
    command = whole_command()
    name, context = "pianoreel", None
    while isinstance(command, TyperGroup) and words and words[0] in command.commands:
        part = words[0]
        context = command.make_context(name, [part], parent=context)
        name, command, words = f"{name} {part}", command.commands[part], words[1:]
    if isinstance(command, TyperGroup):
        options = {option for one in command.params for option in one.opts}
        assert set(words) <= options | {"--install-completion", "--show-completion"}, words
        return name, {}
    assert isinstance(command, TyperCommand)
    return name, command.make_context(name, list(words), parent=context).params


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_command_line_takes_each_command(page: Path):
    for command in commands(page.read_text(encoding="utf-8")):
        try:
            parsed(words_of(command))
        except Exception as error:
            raise AssertionError(f"{command}\n{error}") from error


def names_of(name: str, params: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return all that the names of a command's songs or clips depend on, its folder first."""
    from musegen.composition.request import Request

    place = (str(params.get("to")), str(params.get("seed")))
    if name == "pianoreel music sample":
        fields = {key: params[key] for key in ("given", "continued", "between", "remixed")}
        kind = Request(**fields, keep=(params["keep"],) * bool(params["keep"])).kind
        return [(*place, str(params["run"]), kind)]
    if name == "pianoreel video sample":
        sentences = [one for one in params["arguments"] if one != "..."]
        text = " ".join([*sentences, *params["then"], params["into"] or ""])
        return [(*place, text)] * bool(sentences)
    if re.fullmatch(r"pianoreel (music|video|voice) (interpolate|arithmetic|vary)", name):
        run = [one for one in params["arguments"] if one.startswith("runs/")]
        return [(*place, name, *run)]
    return []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_who_runs_one_command_after_the_other_meets_no_taken_name(page: Path):
    """Songs and clips of one model, seed and sentence have one name in a folder."""
    taken: dict[tuple[str, ...], str] = {}
    for command in dict.fromkeys(commands(page.read_text(encoding="utf-8"))):
        name, params = parsed(words_of(command))
        for key in names_of(name, params) if not params.get("overwrite") else []:
            assert key not in taken, f"{taken[key]}\n{command}"
            taken[key] = command


def test_a_check_has_the_options_of_the_preparation_after_it():
    """Another size or rate holds out other clips than the check says."""
    pairs = 0
    for page in PAGES:
        given = [parsed(words_of(one)) for one in commands(page.read_text(encoding="utf-8"))]
        prepared = [params for name, params in given if name == "pianoreel video prepare"]
        for check, real in itertools.pairwise(prepared):
            if check["check"] and not real["check"] and check["sources"] == real["sources"]:
                assert real | {"check": True, "to": None} == check, name_of(page)
                pairs += 1
    assert pairs == 2


def test_pages_have_commands_and_a_wrong_option_is_found():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(list(commands(text))) > 10
    assert parsed(words_of("pianoreel music sample runs/mine --count 2 # two"))[1]["count"] == 2
    for wrong in ("music sample --cuont 2", "music sample --count two", "music smaple"):
        with pytest.raises(BaseException, match=r"cuont|whole number|smaple"):
            parsed(words_of(f"pianoreel {wrong}"))


TRAININGS = sorted(
    {
        command
        for page in PAGES
        for command in commands(page.read_text(encoding="utf-8"))
        if re.match(r"pianoreel (music|video|ring) train (?!.*--config)", command)
    }
)


@pytest.fixture(scope="module")
def band(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of one song of the procedural band, as the shipped models of songs read it."""
    folder = tmp_path_factory.mktemp("data") / "band"
    prepare = ("music", "prepare", "--band", 1, "--steps-per-beat", 4, "--jobs", 1)
    assert run(*prepare, "--to", folder)[0] == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", TRAININGS)
def test_each_training_has_models_and_settings_that_exist(command: str, band: Path):
    words = words_of(command)
    _, params = parsed(words)
    at = words.index(str(params["data"])) if params["data"] else None
    if at is not None:
        words[at] = "--shapes" if words[0] == "video" else str(band)
    if words[0] == "music" and params["other"]:
        words[words.index("--other") + 1] = str(band)
    if words[0] == "video" and params["other"] and "--showing" not in words:
        words[words.index("--other") + 1] = "blue"
    code, said, complaint = run(*words, "--dry-run")
    assert code == 0, f"{command}\n{complaint}"
    assert "recipe:" in said


IN_ONE = ("docs/api.md", "docs/export.md")
"""Pages whose snippets follow on each other: see test_pages_for_programs."""


def snippets() -> Iterator[Any]:
    """The Python of all pages."""
    for page in PAGES:
        if name_of(page) in IN_ONE:
            continue
        found = [b for kind, b in blocks(page.read_text(encoding="utf-8")) if kind == "python"]
        for number, code in enumerate(found, 1):
            marks = [pytest.mark.slow] * any(word in code for word in SLOW)
            yield pytest.param(code, id=f"{name_of(page)}-{number}", marks=marks)


@pytest.mark.parametrize("code", list(snippets()))
def test_python_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from core.recipes import RECIPES

    monkeypatch.chdir(tmp_path)
    before = dict(RECIPES)
    try:
        exec(code.replace('"small"', '"tiny"'), {})  # a preset of seconds
    finally:
        RECIPES.clear()
        RECIPES.update(before)


def test_lists_of_tracks_are_read(tmp_path: Path):
    from musegen.tracks import Track, track_list

    text = (REPOSITORY / "docs" / "tracks.md").read_text(encoding="utf-8")
    parts = [part for _, block in blocks(text) for part in block.split("\n\n")]
    lists = [part for part in parts if part.startswith("tracks:")]
    assert len(lists) >= 3
    for number, block in enumerate(lists):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block, encoding="utf-8")
        read = track_list(str(path))
        assert [track.name for track in read] == re.findall(r"name: ([\w ]+),", block)
    for one in re.findall(r"`(\{name: .+?\})`", text):
        assert Track(**yaml.safe_load(one)).name in one
    for rule in re.findall(r"^\| `(\w+: .+?)` \|", text, re.M):
        assert Track(name="X", program=0, **yaml.safe_load(rule))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs both name them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    plain = (re.sub(r"[^\w\s-]", "", title.lower()).strip() for title in titles)
    return {re.sub(r"\s+", "-", title) for title in plain}


@pytest.mark.parametrize("page", [*PAGES, *RECORDS], ids=name_of)
def test_links_and_pictures_exist(page: Path):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text)
    for link in (one or other for one, other in links):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no heading is called {anchor}"


def test_the_site_has_every_page():
    config = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {name_of(path).removeprefix("docs/") for path in (REPOSITORY / "docs").rglob("*.md")}
    named = set(re.findall(r"[\w/-]+\.md", config))
    assert pages - named == set()
    assert {f"reference/{group}.md" for group in pages_of_docs().groups()} <= named
    assert {f"cards/{card.parent.name}.md" for card in CARDS} <= named


@functools.cache
def texts() -> frozenset[str]:
    """The texts of the program; what is filled into them is left out, as in `step {}: done`."""
    found = set()
    for name in ("core", "gallery", "musegen", "studio", "videogen"):
        for path in (REPOSITORY / name).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                known = [p.value if isinstance(p, ast.Constant) else "\0" for p in parts]
                found.add("".join(part for part in known if isinstance(part, str)))
    return frozenset(found)


def test_the_program_prints_each_message_of_troubleshooting():
    """But for numbers, names and what stands for them in the page: three dots."""
    text = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?) \| ", text, re.M)
    messages = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    assert len(messages) > 60
    known, wrong = "\n".join(texts()), []
    for message in messages:
        parts = [part.strip() for part in re.split(r"'?\.\.\.'?|\d[\d,.]*", message)]
        wrong += [part for part in parts if len(part) > 6 and part not in known]
    assert wrong == []


def test_reasons_of_rejected_files_are_those_of_the_program():
    text = (REPOSITORY / "docs" / "howto" / "rejected.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.+?) \|", text, re.M)
    named = {reason for cell in cells for reason in re.findall(r"`([a-z-]+)`", cell)}
    known, given = texts(), set()
    assert named - known == set()
    for name in ("core/data", "musegen", "videogen"):
        for path in (REPOSITORY / name).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            given |= set(re.findall(r"(?:RejectedFile|Failure)\(\s*\"([a-z-]+)\"", source))
    assert given - named == set(), "every reason has its cure"


@pytest.mark.parametrize(
    ("typed", "follows"),
    [
        ("pianoreel music sam", ["sample"]),
        ("pianoreel music sample --count 3 --ke", ["--keep", "--key"]),
        ("pianoreel video train --flip ", ["auto", "always", "never"]),
    ],
)
def test_a_shell_completes(
    typed: str, follows: list[str], capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("_PIANOREEL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
    with pytest.raises(SystemExit):
        whole_command().main(prog_name="pianoreel")
    assert capsys.readouterr().out.split() == follows


@pytest.mark.slow
def test_completion_is_installed_and_bash_completes(tmp_path: Path):
    """By `--install-completion`, a new shell, a word and the tab key."""
    program = tmp_path / "pianoreel"
    program.write_text(f"#!{sys.executable}\nimport cli\n\ncli.main()\n")
    program.chmod(0o755)
    home = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment = os.environ | home | {"PYTHONPATH": str(REPOSITORY)}
    environment.pop("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", None)

    def said(script: str) -> str:
        command = ["bash", "-c", f"{script}\ntrue"]  # a shell that stays, and so is found
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "complete_bash" in said("pianoreel --show-completion")
    said("pianoreel --install-completion")
    new_shell = "source ~/.bashrc; COMP_WORDS=(pianoreel music sam); COMP_CWORD=2"
    assert said(f"{new_shell}; _pianoreel_completion pianoreel; echo $COMPREPLY") == "sample\n"


def test_the_help_is_in_groups():
    said = run("--help")[1]
    at = [said.find(f"─ {panel} ─") for panel in ("Make, steer, measure, learn", "This machine")]
    assert 0 < at[0] < at[1]
    groups = whole_command().commands
    for group in ("music", "video", "voice", "ring"):
        panels = {command.rich_help_panel for command in groups[group].commands.values()}
        assert panels == {"Learn", "Make", "Measure", "Steer"}, group
    for group, command, panels in (
        ("music", "sample", {"Your own songs", "Steering", "Files to write"}),
        ("video", "sample", {"Steering", "Files to write"}),
        ("video", "prepare", {"How videos are cut into clips", "Configuration"}),
        ("video", "train", {"Augmentation", "Budget", "Configuration"}),
    ):
        options = groups[group].commands[command].params
        assert {option.rich_help_panel for option in options} == panels | {None}, command


@functools.cache
def pages_of_docs() -> Any:
    """The module that adds pages to the site."""
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("pages", REPOSITORY / "docs" / "pages.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_command_with_its_examples_and_options():
    pages = pages_of_docs()
    every, shown = pages.commands(), "\n".join(map(pages.command_page, pages.groups()))
    sections = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", shown, re.M))
    assert sections.keys() == every.keys()
    assert "    pianoreel music sample --given song.mid --fill 5-8 --to songs\n" in shown
    assert shown.count("| `--top-p <float range>` |") == 1
    for name, command in every.items():
        options = {option for one in command.params for option in one.opts if option[:2] == "--"}
        assert all(re.search(rf"{option}[ ,`]", sections[name]) for option in options), name


@pytest.mark.slow
def test_the_site_is_built_and_asks_no_other_host_for_anything(tmp_path: Path):
    pytest.importorskip("mkdocs")
    site = tmp_path / "site"
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(
            r"<(?:script|img|link|iframe|audio)[^>]+?(?:src|href)=\"?([^\"\s>]+)", text
        )
        assert not [one for one in loaded if re.match(r"(https?:)?//", one)], page
    reference = (site / "reference" / "python-music.html").read_text(encoding="utf-8")
    assert 'id="musegen.model.Model.sample"' in reference


COMMANDS_OF_A_WHEEL = (
    ("--help",),
    ("music", "sample", "--count", "1", "--bars", "2", "--only", "mid", "--to", "songs"),
    ("video", "sample", "--format", "png", "--to", "clips", "A red circle"),
    ("gallery", "songs", "--to", "page"),
)
ONE_AFTER_ANOTHER = """
import json, sys
import cli
print(cli.__file__)
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    try:
        cli.main()
    except SystemExit as left:
        print("exit", left.code or 0)
"""


@pytest.mark.slow
def test_a_wheel_holds_all_that_it_needs(tmp_path: Path):
    """Installed alone in an empty folder, its command has its help, samples a song and a clip."""
    pytest.importorskip("setuptools", minversion="77")
    copy = tmp_path / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "site", "*.egg-info", "__pycache__")
    shutil.copytree(REPOSITORY, copy, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *offline, "--wheel-dir", tmp_path, copy], check=True)
    (wheel,) = tmp_path.glob("pianoreel-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    packages = [copy / name for name in ("core", "gallery", "musegen", "studio", "videogen")]
    files = [path for package in packages for path in package.rglob("*") if path.is_file()]
    assert {str(path.relative_to(copy)) for path in files} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "docs/", "benchmarks/"))]
    installed = tmp_path / "installed"
    target = ["--no-compile", "--target", installed]
    subprocess.run([*pip, "install", *offline, *target, wheel], check=True)
    alone = os.environ | {"PYTHONPATH": str(installed)}
    program = [sys.executable, "-c", ONE_AFTER_ANOTHER, json.dumps(COMMANDS_OF_A_WHEEL)]
    done = subprocess.run(program, cwd=tmp_path, env=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    file, *said = done.stdout.splitlines()
    assert file == str(installed / "cli.py")
    assert [line for line in said if line.startswith("exit ")] == ["exit 0"] * 4
    assert "Usage" in done.stdout
    assert len(list((tmp_path / "songs").glob("*.mid"))) == 1
    assert len(list((tmp_path / "clips").glob("*.png"))) == 1
    assert "canvas" in (tmp_path / "page" / "index.html").read_text()


def test_a_source_distribution_holds_the_program_and_its_weights(tmp_path: Path):
    pytest.importorskip("setuptools", minversion="77")
    copy = tmp_path / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "site", "*.egg-info", "__pycache__")
    shutil.copytree(REPOSITORY, copy, ignore=ignored)
    code = f"from setuptools import build_meta; build_meta.build_sdist({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, capture_output=True)
    (archive,) = tmp_path.glob("pianoreel-*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    weights = {name_of(path) for path in REPOSITORY.glob("*gen/weights/**/*") if path.is_file()}
    assert weights and weights <= names
    assert {name_of(p) for p in REPOSITORY.glob("*gen/**/*.py")} <= names
    assert {"cli.py", "pyproject.toml", "README.md", "LICENSE"} <= names
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("pianoreel-*.whl")
    built = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in weights if not name.endswith("README.md")} <= built
    assert {"gallery/gallery.css", "gallery/composer.js", "studio/studio.css"} <= built


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(cited["version"]) == project["version"]
    assert cited["license"] == project["license"]
