"""The examples in docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import mmattn


def modules():
    names = [
        module.name for module in pkgutil.walk_packages(mmattn.__path__, 'mmattn.')
    ]
    return ['mmattn', *names]


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in modules():
        module = importlib.import_module(name)
        for test in finder.find(module, name):
            if test.examples:
                yield pytest.param(test, id=test.name)


EXAMPLES = list(examples())
# Modules whose examples need a package of an extra.
EXTRAS = {'mmattn.models.backbones.efficientnet_lite0': 'efficientnet_lite_pytorch'}


def test_there_are_examples():
    assert len(EXAMPLES) > 20


@pytest.mark.parametrize('example', EXAMPLES)
def test_example(example, tmp_path, monkeypatch):
    for module, package in EXTRAS.items():
        if example.name.startswith(module):
            pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    written = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    result = runner.run(example, out=written.append)
    assert result.failed == 0, ''.join(written)
