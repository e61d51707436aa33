"""Interpolate, arithmetic, vary, reconstruct and translate, for any domain.

A point is a user's file, encoded, or a text (a sentence, a seed's number) for which the prior is
sampled. Each function yields the paths that it writes.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.app.domain import Domain, Examples
from core.app.label import name_of, shortened, side_by_side, slug
from core.app.latent import LatentPoints, concat, slerp
from core.app.latent import arithmetic as combine
from core.app.model import LOG, Model
from core.app.output import Output
from core.data.sources import is_source
from core.errors import ConfigError
from core.files import as_text, is_file
from core.wording import counted

Reader = Callable[[Any, Path], Examples]
"""Reads a user's file as items of a model, as `Domain.read` does."""

SHOWN = 4
"""Items of a file that are drawn before and after."""

UNSEEN = 1e-3
"""The share of the variance of x that nobody notices as a mean squared change."""


def open_with_arguments(
    domain: Domain, arguments: Sequence[str], count: int | None, device: str
) -> tuple[Model, list[str]]:
    """Open the model that the arguments name first, else the shipped one; return the rest too."""
    run, rest = split_run(domain, arguments, count)
    return domain.open_run(domain.default_latent_run or None if run is None else run, device), rest


def split_run(
    domain: Domain, arguments: Sequence[str], count: int | None
) -> tuple[str | None, list[str]]:
    """Split off the run that the arguments begin with, if any; a file is none.

    `ConfigError` unless the rest are `count` (None: one or more).
    """
    run, rest = domain.leading_run(arguments)
    if run and is_file(run) and count in (None, len(arguments)):
        run, rest = None, list(arguments)
    if not rest or (count is not None and len(rest) != count):
        expected = f"one {domain.item} or more" if count is None else counted(count, domain.item)
        if run and not rest:
            raise ConfigError(f"{as_text(run)} is taken for a run: give {expected} after it")
        raise ConfigError(
            f"give {expected} after the run, if you name one, and not {len(rest)}: what has "
            "spaces stands in quotation marks"
        )
    return run, rest


def _one_place(
    model: Model, text: str, seed: int, read: Reader | None
) -> tuple[LatentPoints, Any]:
    """Return the first point of a text and its source, and log that a longer file has more."""
    points, source = place(model, text, seed, read)
    if len(points) > 1:
        LOG.warning(
            "%s is longer than what the model encodes at once: only its beginning counts, "
            "1 part of %d",
            text,
            len(points),
        )
    return points[:1], source


def place(
    model: Model, text: str, seed: int, read: Reader | None = None
) -> tuple[LatentPoints, Any]:
    """Encode a file's items as points, or sample one of the prior for a text.

    Also return the source of the first one: the file's, or the condition. `read`: as the domain
    does, unless another reader is given.
    """
    if names_file(model.domain, text):
        examples = (read or model.domain.read)(model, Path(text))
        model.warn_of(examples.conditions)
        points = model.encode(examples.items, examples.conditions)
        return points, examples.sources[0] if examples.sources else None
    conditions, seed = model.domain.condition(text, seed)
    model.warn_of(conditions)
    source = conditions[0] if conditions else None
    return model.space.draw(1, model.read_conditions(conditions), seed), source


def names_file(domain: Domain, text: str) -> bool:
    """Return True for a text that names a file, or ends as one of the domain does."""
    return is_source(text, domain.suffixes) or (bool(Path(text).suffix) and is_file(text))


def _title(model: Model, text: str) -> str:
    """Return a text as it stands in pictures and files: of a file its name, a number as a seed."""
    if names_file(model.domain, text):
        return as_text(Path(text).name)
    conditions, seed = model.domain.condition(text, 0)
    return text if conditions else f"seed {seed}"


def _name(model: Model, seed: int, kind: str, texts: Sequence[str], *parts: object) -> str:
    """Name an item after its points: a file by its own name, a text as samples of it are."""
    is_file = partial(names_file, model.domain)
    names = [Path(text).stem if is_file(text) else slug(text) or "text" for text in texts]
    return name_of(model.name, seed, kind, side_by_side(names), *parts)


def interpolate(
    model: Model,
    first: str,
    last: str,
    points: int,
    to: Output,
    seed: int,
    read: Reader | None = None,
) -> Iterator[Path]:
    """Write the items along the great circle between two points, ends included, and draw them all.

    An item has the source of both ends, of which the nearer comes first.
    """
    (start, ours), (end, theirs) = (_one_place(model, text, seed, read) for text in (first, last))
    items = model.decode(slerp(start, end, points), seed)
    between = [f"{n / (points - 1):.0%}" for n in range(1, points - 1)]
    titles = [_title(model, first), *between, _title(model, last)]
    nearer = [(ours, theirs) if 2 * n < points else (theirs, ours) for n in range(points)]
    sources = [model.domain.common_source(ends) for ends in nearer]
    name = _name(model, seed, "interpolation", [first, last])
    yield from _write(model, items, titles, name, to, sources)
    yield from _show(model, items, titles, to, f"{name}-all")


def arithmetic(
    model: Model, texts: Sequence[str], to: Output, seed: int, read: Reader | None = None
) -> Iterator[Path]:
    """Write a - b + c, and draw all four."""
    places = [_one_place(model, text, seed, read) for text in texts]
    a, b, c = (point for point, _ in places)
    items = model.decode(concat([a, b, c, combine(a, b, c)]), seed)
    source = model.domain.common_source([places[0][1], places[2][1]])
    name = _name(model, seed, "arithmetic", texts)
    of = [_title(model, text) for text in texts]
    title = "{} - {} + {}".format(*of)
    yield from _write(model, items[3:], [title], name, to, [source])
    titles = [*(f"{sign} {text}" for sign, text in zip("+-+", of, strict=True)), "="]
    yield from _show(model, items, titles, to, f"{name}-all")


def vary(
    model: Model,
    text: str,
    strength: float,
    count: int,
    to: Output,
    seed: int,
    keep: str = "",
    read: Reader | None = None,
) -> Iterator[Path]:
    """Write variations of a point, and draw them beside it; `keep`: the part of z that stays."""
    point, source = _one_place(model, text, seed, read)
    varied = model.variations(point, strength, count, seed, keep)
    items, of = model.decode(concat([point, varied]), seed), _title(model, text)
    if strength and (same := _no_variety(model, items, keep)):
        LOG.warning("%s", same)
    for number in range(1, count + 1):
        name = _name(model, seed, "variation", [text], number)
        title = f"{of}, strength {strength:g}"
        yield from _write(model, items[number : number + 1], [title], name, to, [source])
    titles = [of, *(f"variation {number + 1}" for number in range(count))]
    yield from _show(model, items, titles, to, _name(model, seed, "variations", [text], "all"))


def _no_variety(model: Model, items: Any, keep: str) -> str:
    """Return what to do where variations all hardly differ from the first item, the original."""
    x = model.to_x(items).flatten(1)  # [item value]
    change = (x[1:] - x[:1]).square().mean(1).amax()
    if change > UNSEEN * x[0].var(correction=0):
        return ""
    cure = "a higher --strength changes more"
    if keep:
        cure = f"it follows from '{keep}', which stays. Keep another part, or leave out --keep"
    return f"the variations hardly differ from the original {model.domain.item}: {cure}"


def reconstruct(
    model: Model, path: Path, to: Output, seed: int, read: Reader | None = None
) -> Iterator[Path]:
    """Write the reconstruction of a file, and draw both."""

    def change(examples: Examples) -> Any:
        model.warn_of(examples.conditions)
        return model.reconstruct(examples.items, examples.conditions, seed)

    yield from _before_and_after(model, path, to, "reconstruction", change, seed, read)


def translate(
    model: Model, path: Path, to: Output, back: bool = False, read: Reader | None = None
) -> Iterator[Path]:
    """Write a file's translation, and draw both."""

    def change(examples: Examples) -> Any:
        return model.translate(examples.items, back)

    kind = "translation-back" if back else "translation"
    yield from _before_and_after(model, path, to, kind, change, read=read)


def _before_and_after(
    model: Model,
    path: Path,
    to: Output,
    kind: str,
    change: Callable[[Examples], Any],
    seed: int | None = None,
    read: Reader | None = None,
) -> Iterator[Path]:
    examples = (read or model.domain.read)(model, path)
    changed = change(examples)
    shown_name = as_text(path.name)
    titles = list(examples.conditions or [shown_name] * len(examples))
    name = name_of(model.name, seed, kind, shortened(path.stem))
    yield from _write(model, changed, titles, name, to, examples.sources)
    shown = examples.first(SHOWN)
    both = model.join([shown.items, changed[:SHOWN]])
    numbers = [f" {n + 1}" for n in range(len(shown))] if len(shown) > 1 else [""]
    names = [f"{title}{number}" for title in (shown_name, kind) for number in numbers]
    yield from _show(model, both, names, to, f"{name}-both")


def _show(
    model: Model, items: Any, titles: Sequence[str], to: Output, name: str
) -> Iterator[Path]:
    if to.has_pictures:
        show = partial(model.domain.show, model, items, titles)
        yield to.draw(to.folder / f"{name}.png", show)


def _write(
    model: Model,
    items: Any,
    titles: Sequence[str],
    name: str,
    to: Output,
    sources: Sequence[Any] | None,
) -> Iterator[Path]:
    to.create()
    yield from model.domain.write(model, items, titles, name, to, sources)
