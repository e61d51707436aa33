"""The house rules that a reader relies on, held by tests over the source itself."""

import ast
import dataclasses
import graphlib
import importlib
import io
import re
import socket
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from conftest import REPOSITORY

PACKAGES = ("core", "gallery", "musegen", "studio", "videogen")
SOURCES = [
    REPOSITORY / "cli.py",
    *(p for name in PACKAGES for p in (REPOSITORY / name).rglob("*.py")),
]
TREE = [
    *SOURCES,
    *(REPOSITORY / "tests").rglob("*.py"),
    *(REPOSITORY / "benchmarks").rglob("*.py"),
]
FORBIDDEN = {
    "core": {"musegen", "videogen", "gallery", "studio", "cli"},
    "gallery": {"videogen", "studio", "cli"},
    "musegen": {"videogen", "gallery", "studio", "cli"},
    "videogen": {"musegen", "gallery", "studio", "cli"},
    "studio": {"cli"},
}


@lru_cache(maxsize=8)  # a test asks for those of one file several times
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of a file's syntax tree."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def imported(path: Path) -> Iterator[str]:
    """The top-level names that a file imports anywhere in it."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield str(node.module).split(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_theory_knows_no_domain_and_domains_not_each_other(package: str):
    files = list((REPOSITORY / package).rglob("*.py"))
    assert files
    wrong = {p.name: set(imported(p)) & FORBIDDEN[package] for p in files}
    assert not any(wrong.values()), wrong


def test_no_file_switches_the_shape_checks_off():
    wrong = [p.name for p in TREE if re.search(r"^from __future__ import", p.read_text(), re.M)]
    assert not wrong, "postponed annotations are strings, which the checker passes over"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wrong_shape_fails_in_each_package(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "canary.py").write_text(
        "from jaxtyping import Float\n"
        "from torch import Tensor\n"
        "def first(x: Float[Tensor, 'batch 3']) -> Float[Tensor, ' batch']:\n"
        "    return x[:, 0]\n"
    )
    home = importlib.import_module(package)
    monkeypatch.setattr(home, "__path__", [*home.__path__, str(tmp_path)])
    first = importlib.import_module(f"{package}.canary").first
    assert first(torch.ones(5, 3)).shape == (5,)
    with pytest.raises(Exception, match="Type-check error"):
        first(torch.ones(5, 4))


def public_functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def untyped(function: ast.FunctionDef) -> list[str]:
    """Names of the arguments without annotation, and 'return' where that is missing."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    names = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
    return names + ["return"] * (function.returns is None)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_public_functions_are_typed(path: Path):
    wrong = {f.name: untyped(f) for f in public_functions(path)}
    assert not any(wrong.values()), wrong


def test_help_imports_neither_torch_nor_numpy():
    code = (
        "import sys, cli\n"
        "try: cli.main()\n"
        "except SystemExit: print([m for m in ('torch', 'numpy') if m in sys.modules])"
    )
    for arguments in (["--help"], ["music", "train", "--help"]):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True)
        assert "Usage" in done.stdout
        assert done.stdout.splitlines()[-1] == "[]"


def test_the_command_imports_no_page_and_says_what_the_page_needs():
    code = (
        "import sys; sys.modules['gradio'] = None\n"
        "import cli; sys.argv = ['pianoreel', 'studio', 'x']; cli.main()"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 1
    assert done.stderr == 'error: the studio needs gradio: pip install "pianoreel[studio]"\n'


def test_preparing_imports_no_torch():
    """It is half a gigabyte, in the parent and in each reading process."""
    names = ("musegen.data.preparation", "musegen.data.overview", "videogen.data.preparation")
    code = f"import sys, {', '.join(names)}; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout == "False\n"


def test_plurals_come_from_one_expression():
    """`counted` has the comma of thousands, too."""
    by_hand = re.compile(r"""['"]s['"] (\*|if) """)
    places = [p.relative_to(REPOSITORY) for p in SOURCES for _ in by_hand.findall(p.read_text())]
    assert places == [Path("core/wording.py")]


def test_constraints_are_names_and_versions_of_all_that_is_required():
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    pinned = {line.split("==")[0].lower().replace("-", "_") for line in lines}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    required = project["dependencies"] + [
        requirement for extra in project["optional-dependencies"].values() for requirement in extra
    ]
    names = {re.split(r"[\[<>=]", line)[0].lower().replace("-", "_") for line in required}
    assert names - pinned == set()


def test_tests_run_on_one_thread():
    assert torch.get_num_threads() == 1


def test_tests_cannot_reach_the_network(no_network: list[object]):
    with pytest.raises(OSError, match="no network"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    assert no_network == [("192.0.2.1", 80)]
    no_network.clear()  # this attempt was meant


def test_the_theory_names_every_model():
    """Each recipe by name, and each that the ring can learn with its picture."""
    from core.ring.benchmark import adapting, on_the_ring
    from musegen.recipes import RECIPES as OF_MUSIC
    from videogen.recipes import RECIPES as OF_VIDEO

    docs = REPOSITORY / "docs"
    text = (docs / "theory.md").read_text(encoding="utf-8")
    assert [name for name in {**OF_MUSIC, **OF_VIDEO} if f"`{name}`" not in text] == []
    for name in (*on_the_ring(), *adapting()):
        assert f"models/ring/{name}.png" in text
        assert (docs / "models" / "ring" / f"{name}.png").is_file()
        assert f"| `{name}` |" in (docs / "models" / "models.md").read_text(encoding="utf-8")


def test_the_page_on_security_states_each_limit():
    """In the order and with the values and meanings of the domains."""
    from core.app.doctor import describe
    from musegen.files.limits import MusicLimits
    from musegen.voice.data.limits import VoiceLimits
    from videogen.files.limits import VideoLimits

    text = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", text, re.MULTILINE)
    of_domains = (MusicLimits(), VideoLimits(), VoiceLimits())
    described = [row for limits in of_domains for row in describe(limits).items()]
    assert [(name, f"{value}  {meaning}") for name, value, meaning in rows] == described


def theory_sections() -> dict[str, tuple[str, str]]:
    """Return prose and code of each recipe's section of docs/theory.md, by the recipe's name."""
    text = (REPOSITORY / "docs" / "theory.md").read_text(encoding="utf-8")
    section = r"^### .+\n\n(?:<img .+>\n\n)?`(\w+)`, (.+)\n\n((?:    .+\n)+)"
    found = re.findall(section, text, re.MULTILINE)
    assert len(found) == text.count("\n### ")
    return {name: (prose, code) for name, prose, code in found}


def test_the_theory_states_each_recipe_its_paper_and_how_it_differs():
    """The code of a section builds the recipe that runs: terms, networks and settings."""
    from core import recipes
    from musegen import recipes as of_music
    from musegen.voice import recipes as of_voices
    from videogen import recipes as of_video

    domains = (of_video, of_music, of_voices)
    sections, known = theory_sections(), vars(recipes)
    every = {name: one for domain in domains for name, one in domain.RECIPES.items()}
    for domain in domains:
        known = known | vars(domain)
    assert sections.keys() == every.keys()
    for name, recipe in every.items():
        prose, code = sections[name]
        builder, conditional, _ = code.strip().partition(".conditional()")
        built = eval(f"Recipe({builder}, paper=paper)", known | {"paper": recipe.paper})
        built = built.conditional() if conditional else built
        assert dataclasses.replace(built, remark=recipe.remark) == recipe, name
        assert recipe.paper.authors.split(",")[0] in prose and f" {recipe.paper.year}" in prose
        assert "the paper" in prose.lower(), name  # as in the paper, unlike in the paper ...


DOOR = {"errors", "files", "yaml_files", "config", "launch", "wording"}
"""Modules that every wing may import."""
THEORY = DOOR | {"processes", "theory"}
DENSITIES = THEORY | {"networks", "densities"}
RECIPES = DENSITIES | {"recipe", "recipes", "papers"}
TRAINING = RECIPES | {"training"}
EXCHANGE = RECIPES | {"exchange"}
APPLICATIONS = TRAINING | {"app", "data", "exchange"}
WINGS = {
    "core": {
        **dict.fromkeys((*DOOR, "papers", "processes"), DOOR),
        "theory": THEORY,
        "networks": THEORY | {"networks"},
        "densities": DENSITIES,
        "recipe": RECIPES | {"training.optimisation"},  # a leaf: a paper names its optimiser
        "recipes": RECIPES | {"training.optimisation"},
        "training": TRAINING,
        "data": DOOR | {"data"},
        "exchange": EXCHANGE,
        "app": APPLICATIONS,
        "ring": APPLICATIONS | {"ring"},
    },
    "musegen": {
        "tracks": set[str](),
        "controls": set[str](),
        "roll": {"controls", "tracks"},
        "tonality": {"roll", "tracks"},
        "steering": {"tonality"},
        "drafts": {"drafts", "controls", "files", "reading", "roll", "smf", "tracks"},
        "smf": {"notation", "smf"},  # a score is played out to the bytes of a file
        "files": {
            *("controls", "files", "notation", "performance", "playing"),
            *("reading", "roll", "smf", "tonality", "tracks"),
        },
        "notation": {"controls", "files", "notation", "roll", "smf", "tonality", "tracks"},
        "reading": {
            *("controls", "files.controls", "files.keys", "files.limits", "files.parts"),
            *("files.pedal", "performance", "reading", "roll", "smf", "tonality", "tracks"),
        },
        "data": {"data", "files", "reading", "roll", "smf", "tonality", "tracks"},
        "networks": {"networks", "roll", "tracks"},
        "densities": {"densities", "networks.states", "roll", "steering", "tracks"},
        "bar_latents": {
            *("bar_latents", "drafts", "roll", "steering", "tonality", "tracks"),
            *("networks.states", "networks.multiscale", "networks.wirings"),
        },
        "performance": {"controls", "roll", "tracks"},
        "playing": {"controls", "playing", "files", "performance", "tracks"},
        "voice": {"voice", "files", "playing", "tonality"},
        "terms": set[str](),
        "recipes": {"terms"},
        "presets": {"networks", "densities", "bar_latents", "recipes"},
        "configuration": {"networks", "densities", "bar_latents", "recipes", "roll", "tracks"},
        "batches": {
            *("configuration", "data", "drafts"),
            *("bar_latents", "densities", "networks"),
        },
    },
    "gallery": {"page": {"composer"}, "composer": set[str]()},
    "studio": {
        "folder": set[str](),
        "theme": set[str](),
        "following": set[str](),
        "child": {"folder"},
        "uploads": {"folder"},
        "components": {"components", "folder"},
        "rooms": {"components", "rooms", "folder", "uploads", "child", "following"},
        "server": {"components", "folder", "rooms.models", "theme", "uploads"},
    },
    "videogen": {
        "words": set[str](),
        "files": {"files"},
        "networks": {"networks", "files", "words"},
        "data": {"data", "files", "words"},
        "shapes": {"shapes", "files"},
        "rendering": {"rendering", "files", "model"},
        "terms": set[str](),
        "papers": set[str](),
        "recipes": {"papers", "terms"},
        "presets": {"networks", "recipes"},
        "configuration": {"data", "files", "networks", "recipes"},
        "captioned_clips": {"data", "files", "presets", "shapes"},
        "batches": {"captioned_clips", "configuration", "data", "files", "networks", "shapes"},
    },
}
"""The modules of its own package that each wing may import; wings not named may import all."""
MOST_FILES = 16


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in SOURCES}


def imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the modules of this repository that are imported."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else str(node.module) for name in full)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("package", PACKAGES)
def test_each_wing_imports_only_those_below_it(package: str):
    wrong = []
    for name, path in MODULES.items():
        own, _, inner = name.partition(".")
        allowed = WINGS[package].get(inner.split(".")[0])
        if own != package or allowed is None:
            continue
        for imported_name in imports(nodes(path)):
            parent, _, other = imported_name.partition(".")
            if parent == package and other not in allowed and other.split(".")[0] not in allowed:
                wrong.append(f"{name} imports {imported_name}")
    assert wrong == []


def test_each_wing_of_the_rule_exists_and_a_domain_does_not_import_the_ring():
    for package, wings in WINGS.items():
        for wing in wings:
            assert any(f"{name}.".startswith(f"{package}.{wing}.") for name in MODULES), wing
    for name, path in MODULES.items():
        if name.startswith(("musegen", "videogen")):
            found = imports(nodes(path))
            assert not [other for other in found if other.startswith("core.ring")], name


def test_no_modules_import_each_other_in_a_circle():
    """Imports inside functions and under TYPE_CHECKING are not followed."""
    graph = {
        name: {other for other in imports(ast.parse(path.read_text()).body) if other in MODULES}
        for name, path in MODULES.items()
    }
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_are_small_and_every_module_has_a_docstring(package: str):
    folders = {path.parent for path in (REPOSITORY / package).rglob("*.py")}
    for folder in folders:
        assert (folder / "__init__.py").is_file(), folder
        assert len(list(folder.glob("*.py"))) <= MOST_FILES, folder
    paths = [p for name, p in MODULES.items() if name.split(".")[0] == package]
    assert [p for p in paths if not ast.get_docstring(ast.parse(p.read_text()))] == []


OF_DOMAINS = (
    "midi note notes pitch pitches bar bars chord drum melody music musical song songs phrase "
    "phrases tempo soundfont pixel pixels caption captions clips gist frame frames film films "
    "video videos"
)
"""Words of a domain, which the theory does not know."""
ALLOWED = {
    ("core/papers.py", "pixels"): "titles of papers",
    ("core/papers.py", "music"): "titles of papers",
    ("core/papers.py", "songs"): "titles of papers",
    ("core/app/progress.py", "bar"): "a bar shows the progress",
    ("core/app/comparison.py", "caption"): "rich's word for the text under a table",
    ("core/ring/scorecard.py", "caption"): "rich's word for the text under a table",
    ("core/training/interruption.py", "frame"): "FrameType of a signal's handler",
    ("core/app/commands/signals.py", "frame"): "FrameType of a signal's handler",
}


def words(path: Path) -> Iterator[str]:
    """Yield the words of names, texts and comments, but for command lines and PixelCNN."""
    text = re.sub(r"^.*\bpianoreel (music|video) .*$", "", path.read_text(), flags=re.M)
    for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", re.sub("PixelCNN", "", text)):
        yield word.lower()


def test_the_theory_does_not_speak_of_its_domains():
    found = {
        (str(path.relative_to(REPOSITORY)), word)
        for path in (REPOSITORY / "core").rglob("*.py")
        for word in set(OF_DOMAINS.split()).intersection(words(path))
    }
    assert found - ALLOWED.keys() == set()
    assert ALLOWED.keys() - found == set(), "allowed, and no longer needed"


PRIVATE = {"told", "heard", "alike", "begun", "wished", "manner", "statements", "aids"}
NOUN_PHRASES = {"What", "Of", "How", "Where", "Whether", "Who", "Which", "As"}


def docstrings(path: Path) -> Iterator[str]:
    """Yield the strings that stand alone: of modules, classes, functions and constants."""
    for node in nodes(path):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def identifiers(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


@pytest.mark.parametrize("path", TREE, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_docstrings_are_sentences_in_words_of_the_field(path: Path):
    wrong = [text for text in docstrings(path) if text.split(" ")[0] in NOUN_PHRASES]
    assert wrong == []
    if path != REPOSITORY / "benchmarks/mutation/edits.py":  # which mutates statements of Python
        text = " ".join(docstrings(path)).lower()
        assert PRIVATE.intersection(re.findall(r"[a-z-]+", text)) == set()
        parts = {part for name in identifiers(path) for part in name.lower().split("_")}
        assert (PRIVATE | {"made", "again"}).intersection(parts) == set()


RESHAPING = {
    "unflatten",
    "permute",
    "flatten",
    "view",
    "transpose",
    "unfold",
    "movedim",
    "reshape",
}


def reshapes(node: ast.AST) -> bool:
    """Return True for a call of a reshaping method, other than numpy's change of type."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    changes_type = [ast.unparse(argument) for argument in node.args] == ["np.ndarray"]
    return node.func.attr in RESHAPING and bool(node.args) and not changes_type


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_a_reshaping_statement_states_its_shape(path: Path):
    """A statement that reshapes has a comment with a shape such as `# [batch track step]`."""
    source = path.read_text()
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    shapes = {t.start[0] for t in tokens if t.type == tokenize.COMMENT and "[" in t.string}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Return | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            assert not any(map(reshapes, ast.walk(node))) or shapes.intersection(lines), (
                f"line {node.lineno}: {ast.unparse(node)}"
            )
