"""Build script: metadata stands in pyproject.toml.

``mim`` looks for configs, tools and the model index in ``mmattn/.mim`` of the
installed package, so the build copies them there.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MIM_CONTENT = ('tools', 'configs', 'model-index.yml')


class BuildWithMim(build_py):
    """``build_py`` that adds ``mmattn/.mim`` to the built package."""

    def run(self):
        """Build, then copy what mim looks for."""
        super().run()
        if self.editable_mode:  # mim cannot find editable installs at all
            return
        root = Path(__file__).resolve().parent
        target = Path(self.build_lib) / 'mmattn' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in MIM_CONTENT:
            source = root / name
            if source.is_dir():
                ignore = shutil.ignore_patterns('__pycache__')
                shutil.copytree(source, target / name, ignore=ignore)
            else:
                shutil.copy(source, target / name)


setup(cmdclass={'build_py': BuildWithMim})
