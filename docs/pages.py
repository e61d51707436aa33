"""Pages of the site that are not written in this folder: the reference of the commands, from the
program itself, and files that lie elsewhere in the repository.

MkDocs calls the functions `on_...`.
"""

import html
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parent.parent
CARDS = {
    f"cards/{folder.name}.md": f"{domain}/weights/{folder.name}/README.md"
    for domain in ("musegen", "videogen")
    for folder in sorted((REPOSITORY / domain / "weights").iterdir())
}
ELSEWHERE = CARDS | {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "experiments.md": "EXPERIMENTS.md",
    "security.md": "SECURITY.md",
}
"""Pages of the site, and the files of the repository whose text they show."""
PAGE_OF = {source: page for page, source in ELSEWHERE.items()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated."""
    for page, source in ELSEWHERE.items():
        text = (REPOSITORY / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    for name in groups():
        content = command_page(name)
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to pages of the site, where they lead to files of the repository."""
    here = page.file.src_uri
    return relinked(markdown, ELSEWHERE.get(here, f"docs/{here}"), here)


def relinked(markdown: str, source: str, page: str) -> str:
    """Rewrite the links of a file of the repository that is shown as a page of the site.

    >>> relinked("[tracks](docs/tracks.md#rules)", "CHANGELOG.md", "changelog.md")
    '[tracks](tracks.md#rules)'
    >>> relinked("[changes](../../CHANGELOG.md)", "docs/models/music.md", "models/music.md")
    '[changes](../changelog.md)'
    """

    def rewrite(link: re.Match[str]) -> str:
        path, anchor = link[1], link[2] or ""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if target not in PAGE_OF and not target.startswith("docs/"):
            return link[0]
        there = PAGE_OF.get(target, target.removeprefix("docs/"))
        return f"]({posixpath.relpath(there, posixpath.dirname(page))}{anchor})"

    return re.sub(r"\]\((?![a-z]+:)([^)#\s]+)(#[^)\s]*)?\)", rewrite, markdown)


def commands() -> dict[str, Any]:
    """Return the commands of `pianoreel` by their whole names, groups left out."""
    if str(REPOSITORY) not in sys.path:
        sys.path.insert(0, str(REPOSITORY))
    from typer.main import get_command

    from cli import app

    def leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        for part, inner in getattr(command, "commands", {}).items():
            yield from leaves(inner, f"{name} {part}")
        if not hasattr(command, "commands"):
            yield name, command

    return dict(leaves(get_command(app), "pianoreel"))


def groups() -> list[str]:
    """Return the names of the groups of commands: `pianoreel` itself first, then `music` ..."""
    return list(dict.fromkeys(name.split(" ")[-2] for name in commands()))


def command_page(group: str) -> str:
    """Return the reference of a group's commands, or of `pianoreel` itself, as Markdown."""
    shown = {n: c for n, c in commands().items() if n.split(" ")[-2] == group}
    own = next(iter(shown)).rpartition(" ")[0]
    title = f"# {own}\n\nWhat `{own} COMMAND --help` prints.\n"
    return "\n".join([title, *(section(name, command) for name, command in shown.items())])


def section(name: str, command: Any) -> str:
    """Return the reference of one command: its usage, its text, its examples and its options."""
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    paragraphs = [" ".join(part.split()) for part in command.help.split("\n\n")]
    prose = [html.escape(part, quote=False) for part in paragraphs if not is_example(part)]
    examples = [f"    {part}" for part in paragraphs if is_example(part)]
    panels: dict[str, list[str]] = {}
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            kind = "Options" if record[0].startswith("-") else "Arguments"
            panel = parameter.rich_help_panel or kind
            row = f"| `{cell(record[0])}` | {prose_cell(record[1])} |"
            panels.setdefault(panel, []).append(row)
    tables = [f"| {panel} | |\n|---|---|\n" + "\n".join(rows) for panel, rows in panels.items()]
    parts = [f"## {name}", f"    {usage}", *prose, "\n".join(examples), *tables]
    return "\n\n".join(filter(None, parts)) + "\n"


def is_example(paragraph: str) -> bool:
    """Return whether a paragraph of a help is a command."""
    return paragraph.startswith("pianoreel ")


def cell(text: str) -> str:
    """Return a text as it stands in a cell of a table, between backticks."""
    return text.replace("|", "\\|")


def prose_cell(text: str) -> str:
    """Return a text as it stands in a cell of a table."""
    return cell(re.sub(r"([*_\[\]])", r"\\\1", html.escape(text, quote=False)))
