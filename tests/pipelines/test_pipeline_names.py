"""What a pipeline's author imports is what it says, whatever else was imported before."""

import importlib
import pkgutil

from spadework import pipelines


def test_no_module_of_the_package_hides_a_public_name():
    """`spadework.pipelines.claude_api` was once a package, and hid the function of that name."""
    modules = {one.name for one in pkgutil.iter_modules(pipelines.__path__)}
    assert not modules & set(pipelines.__all__)


def test_the_public_names_are_there_once_every_module_is_loaded():
    for one in pkgutil.walk_packages(pipelines.__path__, "spadework.pipelines."):
        importlib.import_module(one.name)
    assert all(callable(getattr(pipelines, name)) for name in pipelines.__all__)
