"""Functions of modules that are imported already, with the code of another text."""

import gc
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

Key = tuple[str, int, int]
"""A function's qualified name, its line, and its number among those of this name and line."""


def exchange(path: Path, before: str, after: str) -> bool:
    """Give the functions of an imported module the code that another text has for them.

    The texts are those of the module at `path`, as imported, and another that has the same
    functions. False, and nothing is exchanged, where they have not.
    """
    old, new = (_codes(compile(text, str(path), "exec")) for text in (before, after))
    if old.keys() != new.keys() or any(_names(old[k]) != _names(new[k]) for k in old):
        return False
    changed = {code: new[key] for key, code in old.items() if code != new[key]}
    for function in gc.get_objects():
        if type(function) is FunctionType and function.__code__ in changed:
            function.__code__ = changed[function.__code__]
    return True


def _codes(module: CodeType) -> dict[Key, CodeType]:
    found: dict[Key, CodeType] = {}
    for code in _nested(module):
        number = sum(key[:2] == (code.co_qualname, code.co_firstlineno) for key in found)
        found[code.co_qualname, code.co_firstlineno, number] = code
    return found


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)


def _names(code: CodeType) -> tuple[tuple[str, ...], ...]:
    """Return what must agree where one code takes another's place in a function."""
    return code.co_freevars, code.co_varnames[: code.co_argcount]
