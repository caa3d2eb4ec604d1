"""Modules that are seldom needed: loaded for one call, then thrown out: a controller has no room for all."""

import gc
import sys


def guest(module: str, function: str, *arguments):
    """What the function of the module returns; a coroutine has to be awaited while nobody else is a guest."""
    try:
        __import__(module)
        return getattr(sys.modules[module], function)(*arguments)
    finally:
        leave(module)


def leave(module: str) -> None:
    """Its room is free again."""
    loaded = sys.modules.pop(module, None)
    package, _, name = module.rpartition(".")
    if loaded is not None and hasattr(sys.modules.get(package), name):
        delattr(sys.modules[package], name)
    gc.collect()
