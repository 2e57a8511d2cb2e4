"""The docs stay short, wrapped, addressed to somebody, and every link of theirs leads somewhere."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
GENERATED = {"docs/cli.md", "docs/configuration.md"}
# Prompts, not pages; their size is measured in bytes.
PROMPTS = ("plugin/", "src/")
WORDS, WIDTH, README_LINES = 18_000, 100, 120
KINDS = ["Tutorial", "How-to guides", "Reference", "Explanation"]


def tracked():
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return [name for name in listed if not name.startswith("tests/")]


PAGES = tracked()
WRITTEN = [name for name in PAGES if name not in GENERATED]


def text_of(name):
    return (ROOT / name).read_text("utf-8")


def prose(name):
    """Return the lines outside of code blocks."""
    without = re.sub(r"^ *```.*?^ *```", "", text_of(name), flags=re.DOTALL | re.MULTILINE)
    return without.splitlines()


def anchors(text):
    heads = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def leaves(nav):
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from [value] if isinstance(value, str) else leaves(value)


def test_the_docs_are_short_enough_to_be_read():
    assert sum(len(text_of(name).split()) for name in WRITTEN) < WORDS
    assert len(text_of("README.md").splitlines()) < README_LINES


@pytest.mark.parametrize("name", [name for name in WRITTEN if not name.startswith(PROMPTS)])
def test_lines_are_wrapped(name):
    for line in prose(name):
        can_be_wrapped = not line.startswith(("|", "    ")) and " " in line.strip("-* ")
        link = re.search(r"\]\(|://", line)
        assert len(line) <= WIDTH or link or not can_be_wrapped, line


@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith(PROMPTS)])
def test_a_page_says_first_whom_it_is_for(name):
    title, blank, audience = text_of(name).splitlines()[:3]
    assert title.startswith("# ")
    assert not blank
    assert audience.startswith("**For:** ")


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(name):
    links = re.findall(
        r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)", "\n".join(prose(name))
    )
    for target, anchor in links:
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text("utf-8")), f"{target}#{anchor}"


def test_the_site_has_the_four_kinds_and_every_page():
    nav = yaml.safe_load(text_of("mkdocs.yml"))["nav"]
    assert [kind for entry in nav for kind in entry][1:] == KINDS
    listed = [f"docs/{name}" for name in leaves(nav)]
    assert sorted(listed) == sorted(name for name in PAGES if name.startswith("docs/"))
