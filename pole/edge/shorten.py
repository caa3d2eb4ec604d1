"""Modules IN, the same modules with short private names OUT: every name that MicroPython keeps takes room in the heap.

A name costs its characters and an entry in the interpreter's table, once for all modules. Shortened are, line by line
and nothing else, so that a traceback still shows the right line: the arguments of functions, what begins with one
underscore in a module, and the attributes of self that do. All of them share one row of one-letter names.

Left as they are: what is passed by keyword somewhere, and a private name that is used on anything but self.
"""

import ast
import itertools
import string
from collections.abc import Iterable, Iterator, Mapping

Edit = tuple[int, int, str, str]  # line from 1, column in bytes, old, new
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def shorten(sources: Mapping[str, str], users: Iterable[str] = ()) -> dict[str, str]:
    """Module name ("edge/agent") -> source, of all modules that may meet in one interpreter.

    users: sources of others that use their names.
    """
    trees = {name: ast.parse(source) for name, source in sources.items()}
    every = [*trees.values(), *(ast.parse(source) for source in users)]
    keywords = {word for tree in every for word in _keywords(tree)}
    kept = keywords | {word for tree in every for word in _kept(tree)}
    out = {}
    for group in _families(trees):
        taken = {word for name in group for word in _words(trees[name])}
        attributes = _row(sorted({each for name in group for each in _private_attributes(trees[name])} - kept), taken)
        for name in group:
            globals_ = _row(sorted(set(_private_globals(trees[name])) - kept), taken)
            edits = [*_attribute_edits(trees[name], attributes), *_global_edits(trees[name], globals_)]
            edits += _argument_edits(trees[name], keywords, set(globals_.values()))
            out[name] = _edited(sources[name], edits)
    return {name: out[name] for name in sources}


def _letters() -> Iterator[str]:
    return map("".join, itertools.chain(string.ascii_letters, itertools.product(string.ascii_letters, repeat=2)))


def _row(names: Iterable[str], taken: set[str]) -> dict[str, str]:
    free = (letters for letters in _letters() if letters not in taken)
    return dict(zip(names, free, strict=False))


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _words(tree: ast.AST) -> set[str]:
    """Every identifier."""
    found = set()
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname"):
            word = getattr(node, field, None)
            if isinstance(word, str):
                found.add(word)
    return found | {"if", "in", "is", "or", "as"}


def _keywords(tree: ast.Module) -> Iterator[str]:
    """Names of arguments that a call uses, or whose places nobody tells (f-strings before Python 3.12)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.JoinedStr):
            yield from (each.id for each in ast.walk(node) if isinstance(each, ast.Name))


def _kept(tree: ast.Module) -> Iterator[str]:
    """Names that somebody else may know: of imports, of strings, and attributes of other things than self."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute) and not _is_own(node):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value  # getattr and the guests
        elif isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(
            node, ast.JoinedStr | ast.FormattedValue
        ):  # Python before 3.12 does not tell where in it a name stands
            yield from (each.id for each in ast.walk(node) if isinstance(each, ast.Name))
        elif isinstance(node, ast.ClassDef):  # of the class, not of self
            yield from (
                each.id
                for one in node.body
                for each in ast.walk(one)
                if isinstance(one, ast.Assign | ast.AnnAssign) and isinstance(each, ast.Name)
            )


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _families(trees: Mapping[str, ast.Module]) -> list[list[str]]:
    """Modules whose classes inherit from each other: their attributes meet in one object."""
    family = {name: [name] for name in trees}
    for name, tree in trees.items():
        for other in _parents(tree):
            if other in family and family[other] is not family[name]:
                family[name] += family[other]
                for each in family[other]:
                    family[each] = family[name]
    return list({id(group): group for group in family.values()}.values())


def _parents(tree: ast.Module) -> Iterator[str]:
    """The modules that a module's classes may inherit from."""
    bases = {
        base.id
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for each in node.bases
        for base in ast.walk(each)
        if isinstance(base, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) in bases:
                    yield node.module.replace(".", "/")
                    yield f"{node.module}.{alias.name}".replace(".", "/")


def _private_attributes(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_own(node) and _is_private(node.attr):
            yield node.attr
        elif isinstance(node, ast.ClassDef):
            yield from (each.name for each in _methods(node) if _is_private(each.name))


def _methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


def _attribute_edits(tree: ast.Module, new: Mapping[str, str]) -> Iterator[Edit]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_own(node) and node.attr in new:
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            yield node.end_lineno, node.end_col_offset - len(node.attr), node.attr, new[node.attr]
        elif isinstance(node, ast.ClassDef):
            yield from (_definition(each, new[each.name]) for each in _methods(node) if each.name in new)


def _definition(node: ast.FunctionDef | ast.AsyncFunctionDef, new: str) -> Edit:
    word = "async def " if isinstance(node, ast.AsyncFunctionDef) else "def "
    return node.lineno, node.col_offset + len(word), node.name, new


def _private_globals(tree: ast.Module) -> Iterator[str]:
    for each in tree.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and _is_private(each.name):
            yield each.name
        elif isinstance(each, ast.Assign) and not _is_folded(each):
            yield from (one.id for one in each.targets if isinstance(one, ast.Name) and _is_private(one.id))


def _is_folded(node: ast.Assign) -> bool:
    """A const() is compiled in where it is used, and has no name left."""
    return isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "const"


def _global_edits(tree: ast.Module, new: Mapping[str, str]) -> Iterator[Edit]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in new:
            yield node.lineno, node.col_offset, node.id, new[node.id]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in new:
            yield _definition(node, new[node.name])


def _argument_edits(tree: ast.Module, kept: set[str], used: set[str]) -> Iterator[Edit]:
    for function in _plain_functions(tree):
        arguments = function.args.args
        long = [each.arg for each in arguments if len(each.arg) > 1 and each.arg not in kept | {"self"}]
        new = _row(long, _words(function) | used)
        for node in arguments:
            if node.arg in new:
                yield node.lineno, node.col_offset, node.arg, new[node.arg]
        for inner in ast.walk(function):
            if isinstance(inner, ast.Name) and inner.id in new:
                yield inner.lineno, inner.col_offset, inner.id, new[inner.id]


def _plain_functions(tree: ast.Module) -> list[_Function]:
    """Those that neither hold another function nor stand in one: there a name may mean two things."""
    every = [node for node in ast.walk(tree) if isinstance(node, _Function)]
    inside = {id(each): node for node in every for each in ast.walk(node) if each is not node}
    holders = {id(inside[id(node)]) for node in every if id(node) in inside}
    return [node for node in every if id(node) not in inside and id(node) not in holders]


def _edited(source: str, edits: Iterable[Edit]) -> str:
    lines = source.encode().split(b"\n")
    for line, column, old, new in sorted(set(edits), reverse=True):
        text = lines[line - 1]
        assert text[column : column + len(old.encode())] == old.encode(), (line, column, old, text)
        lines[line - 1] = text[:column] + new.encode() + text[column + len(old.encode()) :]
    return b"\n".join(lines).decode()
