import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from configuration_page import example, page
from spadework.config.error_report import sections
from spadework.config.loader import load_config
from spadework.config.models import DEFAULT_TOOLS, Config

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", page(), re.MULTILINE | re.DOTALL)
KEYS = [(section, name) for section, fields in sections(Config) for name in fields]


def test_the_page_in_docs_is_what_the_models_say():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_module_prints_the_page():
    done = subprocess.run(
        [sys.executable, PAGE.parents[1] / "docs_tools" / "configuration_page.py"],
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == page()


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_of_the_page_loads(tmp_path, text):
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    assert load_config(file).exists


@pytest.mark.parametrize(("section", "name"), KEYS)
def test_every_key_of_the_models_stands_on_the_page_with_its_description(section, name):
    field = dict(sections(Config))[section][name]
    if f"### `[{name}" in page().replace("[[", "[") and not section:
        return  # a table: its own keys are looked for
    part = page().partition(f"### `[{section}]`" if section else "### At the top")[2]
    row = re.search(rf"^\| `{name}` \| (.*) \|$", part.partition("\n### ")[0], re.MULTILINE)
    assert row, f"{section}.{name}"
    takes, default, about = row[1].split(" | ")
    assert takes
    assert default == "required" if field.is_required() else default != "required"
    assert about
    assert about == " ".join(field.description.split())


def test_the_complete_example_sets_every_key():
    document = tomllib.loads(example())
    tables = {
        "": document,
        "backends.NAME": document["backends"]["koala"],
        "tools.NAME": document["tools"]["sort_ticket"],
        "[projects]": document["projects"][0],
    }
    for section, fields in sections(Config):
        table = tables.get(section) or document[section]
        missing = set(fields) - set(table)
        assert not missing, section


def test_the_default_tools_on_the_page_are_the_default_tools(tmp_path):
    shown = [text for text in EXAMPLES if "\nuse_for" in text and "\nmodels" not in text]
    assert len(shown) == len(DEFAULT_TOOLS)
    for text in shown:
        file = tmp_path / "config.toml"
        file.write_text(text.replace("tools.", "tools.same_as_"), encoding="utf-8")
        [(name, tool)] = load_config(file).config.tools.items()
        assert tool == DEFAULT_TOOLS[name.removeprefix("same_as_")]
