"""Finds plug-ins by name: a bare name is a module of ours, a dotted path is somebody else's class; no list anywhere."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import os
import pkgutil
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import TypeGuard, TypeVar

from headgate.core.printable import printable

T = TypeVar("T")

PACKAGE = "headgate"
BARE = re.compile(r"[a-z][a-z0-9_]*\Z")
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*[.:][^\W\d]\w*\Z")

# What a stranger's module may raise while it is imported: its failure is told, not ours.
BROKEN = (
    ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError, LookupError, OSError, RuntimeError,
    ArithmeticError, AssertionError,
)  # fmt: skip


class PluginNotFound(Exception):
    """There is no such plug-in. `message` says what is wrong, `hint` (may be empty) how to mend it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.hint = hint


def names(folder: str) -> list[str]:
    """The plug-ins of `headgate.<folder>` (`providers`, `stages.policies`), sorted, without its contract file.

    A plug-in is a module, or a package where it is too long for one file; a package with a contract file of its own
    is a folder of other plug-ins.

    The contract file has the folder's name in the singular: providers/provider.py, policies/policy.py; the settings
    that all of them share may have a file of their own beside it, settings.py.
    Nothing but the package itself is imported.
    """
    return list(_names(folder))


@functools.cache  # each plug-in is looked for in this list, which takes longer to make than to import one of them
def _names(folder: str) -> tuple[str, ...]:
    package = importlib.import_module(f"{PACKAGE}.{folder}")
    contract = (_singular(folder.rpartition(".")[2]), "settings")
    found = (info.name for info in pkgutil.iter_modules(package.__path__) if not info.ispkg or not _holds_plugins(info))
    return tuple(sorted(name for name in found if name not in contract and not name.startswith("_")))


def _holds_plugins(info: pkgutil.ModuleInfo) -> bool:
    finder = info.module_finder
    inner = pkgutil.iter_modules([os.path.join(getattr(finder, "path", ""), info.name)])
    return any(one.name == _singular(info.name) for one in inner)


def module(folder: str, name: str) -> ModuleType:
    """A plug-in that is a module (a dialect): `openai_chat`, or `package.module` for somebody else's.

    Raises PluginNotFound.
    """
    if BARE.match(name):
        return _builtin(folder, name)
    if not DOTTED.match(name) or ":" in name:
        raise PluginNotFound(f"`{name}` is not a name", f"write one of {_listed(folder)}, or `package.module`")
    return _foreign(name)


def load(folder: str, name: str, base: type[T]) -> type[T]:
    """The class of a plug-in: `groq`, or `package.module:Class` or `package.module.Class` for somebody else's.

    `base` is the class it inherits from, or the Protocol whose methods it has. Raises PluginNotFound.
    """
    if BARE.match(name):
        return _only(_builtin(folder, name), base)
    if not DOTTED.match(name):
        raise PluginNotFound(f"`{name}` is not a name", f"write one of {_listed(folder)}, or `package.module:Class`")
    path, _, attribute = name.rpartition(":" if ":" in name else ".")
    found = getattr(_foreign(path), attribute, None)
    if found is None:
        there = [cls.__name__ for cls in _classes(_foreign(path), base)]
        raise PluginNotFound(f"module `{path}` has no `{attribute}`", suggestion(attribute, there))
    if not (inspect.isclass(found) and fits(found, base)):
        raise PluginNotFound(f"`{name}` is not a {base.__name__}", f"it must {_shape(base)}")
    if inspect.isabstract(found):
        lacks = ", ".join(
            sorted(name for name in dir(found) if getattr(getattr(found, name), "__isabstractmethod__", False))
        )
        raise PluginNotFound(f"`{name}` does not say how it does {lacks}", f"write it as {_home(base)} describes")
    return found


def every(folder: str, base: type[T]) -> dict[str, type[T]]:
    """The classes of all our own plug-ins of a folder, by name. Raises PluginNotFound."""
    return {name: _only(_builtin(folder, name), base) for name in _names(folder)}


def modules(dotted: Iterable[str]) -> dict[str, ModuleType]:
    """The loaded modules that these dotted paths of somebody else's plug-ins stand in, by name; ours are left out."""
    found = {}
    for name in dotted:
        if not BARE.match(name):
            for path in (name, name.rpartition(":" if ":" in name else ".")[0]):
                if path in sys.modules and not path.startswith(f"{PACKAGE}."):
                    found[path] = sys.modules[path]
    return found


def forget(dotted: Iterable[str]) -> None:
    """Let the files of these plug-ins be read anew when they are loaded next; who has the old classes keeps them."""
    for path in modules(dotted):
        del sys.modules[path]
    importlib.invalidate_caches()


def suggestion(wrong: str, known: Sequence[str], limit: int = 12) -> str:
    """`did you mean ...?` where something known is close, else what there is, else nothing."""
    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    if not known:
        return ""
    more = ", …" if len(known) > limit else ""
    return "there " + ("is " if len(known) == 1 else "are ") + ", ".join(f"`{name}`" for name in known[:limit]) + more


def fits(found: type, base: type[T]) -> TypeGuard[type[T]]:
    """Whether a class inherits from `base`, or (a Protocol) has every method of it."""
    if not getattr(base, "_is_protocol", False):
        return issubclass(found, base)
    if getattr(found, "_is_protocol", False):
        return False
    # hasattr would find the metaclass's __call__ on every class
    defined = {name for cls in found.__mro__ if cls is not object for name in vars(cls)}
    return _methods(base) <= defined


def _builtin(folder: str, name: str) -> ModuleType:
    known = _names(folder)
    if name not in known:
        kind = _singular(folder.rpartition(".")[2])
        hint = suggestion(name, known)
        raise PluginNotFound(f"there is no {kind} `{name}`", hint)
    return importlib.import_module(f"{PACKAGE}.{folder}.{name}")


def _foreign(path: str) -> ModuleType:
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{path}.".startswith(f"{error.name}."):
            hint = "install its package, put it beside the configuration file, or set PYTHONPATH"
            raise PluginNotFound(f"there is no module `{error.name}`", hint) from error
        raise PluginNotFound(f"module `{path}` needs `{error.name}`, which is not installed") from error
    except BROKEN as error:
        reason = f"module `{path}` fails with {type(error).__name__} when it is imported{_where(path, error)}"
        raise PluginNotFound(reason) from error


def _where(path: str, error: BaseException) -> str:
    """`: greet.py:12`, and the words of the error if they are Python's own: a stranger's may hold a value."""
    file, line, words = "", None, ""
    if isinstance(error, SyntaxError):
        file, line, words = error.filename or "", error.lineno, error.msg
    else:
        for frame, number in traceback.walk_tb(error.__traceback__):
            name = frame.f_globals.get("__name__")
            if isinstance(name, str) and f"{path}.".startswith(f"{name}."):
                file, line = frame.f_code.co_filename, number
        if isinstance(error, ImportError | AttributeError | NameError):
            words = str(error)
    parts = [f"{os.path.basename(file)}:{line}" if file and line else "", printable(words, limit=300)]
    return "".join(f": {part}" for part in parts if part)


def _only(found: ModuleType, base: type[T]) -> type[T]:
    classes = _classes(found, base)
    if len(classes) == 1:
        return classes[0]
    if not classes:
        raise PluginNotFound(f"`{found.__name__}` holds no {base.__name__}", f"its class must {_shape(base)}")
    listed = ", ".join(cls.__name__ for cls in classes)
    raise PluginNotFound(f"`{found.__name__}` holds more than one {base.__name__}: {listed}")


def _classes(found: ModuleType, base: type[T]) -> list[type[T]]:
    own = (value for name, value in vars(found).items() if not name.startswith("_") and inspect.isclass(value))
    return [cls for cls in own if cls.__module__ == found.__name__ and cls is not base and fits(cls, base)]


def _methods(base: type) -> set[str]:
    own = (cls for cls in base.__mro__ if getattr(cls, "_is_protocol", False) and cls.__module__ != "typing")
    return {
        name
        for cls in own
        for name, value in vars(cls).items()
        if inspect.isfunction(value) and (not name.startswith("_") or name == "__call__")
    }


def _shape(base: type) -> str:
    if not getattr(base, "_is_protocol", False):
        return f"inherit from {_home(base)}"
    return f"have {', '.join(sorted(_methods(base)))} as in {_home(base)}"


def _home(base: type) -> str:
    return f"{base.__module__}.{base.__name__}"


def _singular(plural: str) -> str:
    return plural.removesuffix("ies") + "y" if plural.endswith("ies") else plural.removesuffix("s")


def _listed(folder: str) -> str:
    return ", ".join(f"`{name}`" for name in _names(folder)) or "the built-in ones"
