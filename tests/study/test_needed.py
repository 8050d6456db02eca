"""What is computed before a notebook opens is what the notebook itself would compute."""

import ast
from pathlib import Path
from types import FunctionType

import pytest

from mvlm.publish.declared import NOTEBOOKS, read
from mvlm.study import needed
from mvlm.study.needed import NEEDED


def computing(call: FunctionType) -> set[str]:
    """The functions of the study that an entry is made of, by name."""
    inside = call.__code__.co_names if call.__name__ == "<lambda>" else (call.__name__,)
    return {name for name in inside if isinstance(getattr(needed, name, None), FunctionType)}


def of_the_study(code: str) -> set[str]:
    """The names that code takes from the study, by import or from an imported module."""
    nodes = list(ast.walk(ast.parse(code)))
    found = {
        alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module.startswith("mvlm.study")
        for alias in node.names
    }
    attributes = [node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    return found | {node.attr for node in attributes if node.value.id in found}


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_an_entry_is_the_calls_that_its_notebook_makes(path: Path):
    code = "\n".join("".join(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == "code")
    known = set().union(*map(computing, NEEDED.values()))
    assert of_the_study(code) & known == (computing(NEEDED[path.stem]) if path.stem in NEEDED else set())


def test_every_entry_has_its_notebook():
    assert set(NEEDED) <= {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
