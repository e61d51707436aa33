"""Functions of modules that are imported already, with the code of another text."""

import gc
from collections.abc import Iterator
from importlib.abc import InspectLoader
from types import CodeType, FunctionType, ModuleType

Key = tuple[str, int, int]
"""A function's qualified name, its line, and its number among those of this name and line."""


def exchange(module: ModuleType, before: str, after: str) -> bool:
    """Give the functions of an imported module the code that another text has for them.

    `before`: the module's text, as imported. False, and nothing is exchanged, where the other text
    has other functions, or where none that exists has other code.
    """
    old, new = (_codes(module, text) for text in (before, after))
    if old.keys() != new.keys() or any(_names(old[k]) != _names(new[k]) for k in old):
        return False
    changed = {code: new[key] for key, code in old.items() if code != new[key]}
    functions = [one for one in gc.get_objects() if type(one) is FunctionType]
    affected = [function for function in functions if function.__code__ in changed]
    for function in affected:
        function.__code__ = changed[function.__code__]
    return bool(affected)


def _codes(module: ModuleType, text: str) -> dict[Key, CodeType]:
    """Compile a text as the module's loader does, which may add checks of types."""
    loader = module.__loader__
    assert isinstance(loader, InspectLoader)
    found: dict[Key, CodeType] = {}
    for code in _nested(loader.source_to_code(text.encode(), str(module.__file__))):
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
