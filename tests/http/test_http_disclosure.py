"""What is said over HTTP names no folder of the server, whatever went wrong."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest
from http_faces import NEWER, OLDER, client, serving

from doubles.plays import Play
from spadework.config.models import Config
from spadework.mcp.http.mapped_folders import CONCEALED, conceal

BOTH = pytest.mark.parametrize("revision", [OLDER, NEWER])


def map_folders(config_file, **folders):
    lines = [f"{name.replace('_', '/')!r} = {str(folder)!r}" for name, folder in folders.items()]
    config_file.write_text("\n".join([config_file.read_text(), "[http.roots]", *lines, ""]))


@pytest.fixture
def served(config_file, here, tmp_path):
    """A folder that is mapped, full of traps, and the paths that nobody may hear of."""
    own = tmp_path / "own-secrets"
    own.mkdir()
    (own / "plan.md").write_text("mine alone\n")
    (own / ".env").write_text("KEY=1\n")
    (here / "out").symlink_to(own)
    (here / "plan-link.md").symlink_to(own / "plan.md")
    (here / "env-link").symlink_to(own / ".env")
    (here / "nowhere").symlink_to(tmp_path / "gone")
    (here / "loop").symlink_to(here / "loop")
    (here / "pipe.md").symlink_to("/dev/zero")
    (here / "id_rsa").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (here / "broken.pdf").write_bytes(b"%PDF-1.4 broken\n")
    (here / "binary.md").write_bytes(bytes(range(256)))
    (here / "only-links").mkdir()
    (here / "only-links" / "a.md").symlink_to(own / "plan.md")
    os.mkfifo(here / "fifo")
    return here


def leaks(text, *folders):
    return [str(one) for one in folders if re.search(re.escape(str(one)) + r"(?![\w-])", text)]


REFERENCES = [
    "/home/me/out/plan.md",
    "/home/me/out/nothing.md",
    "/home/me/out",
    "/home/me/out/*.md",
    "/home/me/out/**",
    "/home/me/plan-link.md",
    "/home/me/plan-link.md:1-3",
    "/home/me/env-link",
    "/home/me/nowhere",
    "/home/me/loop",
    "/home/me/pipe.md",
    "/home/me/fifo",
    "/home/me/id_rsa",
    "/home/me/broken.pdf",
    "/home/me/binary.md",
    "/home/me/only-links",
    "/home/me/only-links/*",
    "/home/me/note.md",
    "/home/me/nothing/at/all.md",
    "/home/me/notes.md:9-99",
    "/home/me/notes.md:5-2",
    "/home/me/notes.md/x",
    "/home/me/**/../*",
    "/home/me/../own-secrets/plan.md",
    "/home/me/a\u202eb",
    "/home/me/" + "x" * 5000,
    "/etc/hostname",
    "~/x",
    "~root/x",
    "../own-secrets/plan.md",
    "out/plan.md",
    "nothing.md",
    "*.nothing",
    "git:diff",
    "git:show HEAD:../own-secrets/plan.md",
    "git:log -- out",
    "//home/me/notes.md",
    "/",
    ".",
    "",
]


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"_docs": "docs"}], ids=["one folder", "two folders"])
async def test_no_refusal_names_a_folder_of_the_server(config_file, served, tmp_path, more):
    map_folders(config_file, _home_me=served, **{k: served / v for k, v in more.items()})
    heard = {}
    async with serving() as server, client(server.url, NEWER) as mcp:
        for reference in REFERENCES:
            for tool in ("ask_local_llama", "ask_each"):
                call = {"prompt": "Sum up.", "files": [reference]}
                result = await mcp.call_tool(tool, call)
                heard[tool, reference] = "\n".join(block.text for block in result.content)
    for (tool, reference), text in heard.items():
        assert leaks(text, tmp_path, Path.cwd(), sys.prefix) == [], (tool, reference, text)
    refused = heard["ask_local_llama", "/home/me/out/plan.md"]
    assert refused.startswith("reference '/home/me/out/plan.md' refused: /home/me/out/plan.md: ")
    assert "a symlink leads outside the roots [outside-roots]" in refused
    assert "the roots are /home/me" in refused


@pytest.mark.slow
async def test_with_several_folders_each_file_is_called_as_the_client_calls_it(
    config_file, openai_double, here, tmp_path
):
    map_folders(config_file, _home_me=here, _docs=here / "docs")
    (here / "~draft.md").write_text("a draft\n")
    async with serving() as server, client(server.url, NEWER) as mcp:
        call = {"prompt": "Sum up.", "files": ["/home/me/*.md"]}
        each = await mcp.call_tool("ask_each", call)
        whole = await mcp.call_tool("ask_local_llama", call)
    assert "/home/me/notes.md\tThree lines." in each.content[0].text
    assert "/home/me/~draft.md\tThree lines." in each.content[0].text
    sent = openai_double.chats[-1].json["messages"][-1]["content"]
    assert "/home/me/notes.md" in sent
    everything = sent + each.content[0].text + str(whole)
    assert leaks(everything, tmp_path) == []


@pytest.mark.slow
async def test_a_file_that_is_private_here_stays_private_under_the_clients_name(
    config_file, openai_double, here
):
    """Patterns are matched against the names here, links included."""
    config = config_file.read_text().replace('kind = "openai"', 'kind = "openai"\ntrust = "cloud"')
    config_file.write_text(config + '\n[references]\nprivate = ["diary-*"]\n')
    (here / "diary-link.md").symlink_to(here / "notes.md")
    map_folders(config_file, _home_me=here, _docs=here / "docs")
    async with serving() as server, client(server.url, NEWER) as mcp:
        call = {"prompt": "Sum up.", "files": ["/home/me/diary-link.md"]}
        result = await mcp.call_tool("ask_local_llama", call)
    assert result.is_error
    assert openai_double.chats == []


@pytest.mark.slow
@BOTH
async def test_a_broken_config_is_not_shown_to_clients(config_file, tmp_path, revision):
    async with serving() as server, client(server.url, revision) as mcp:
        config_file.write_text(config_file.read_text() + "\n[nonsense]\n")
        text = ""
        async with asyncio.timeout(20):
            while "not in use" not in text:
                await asyncio.sleep(0.1)
                result = await mcp.call_tool("list_available_local_models", {})
                text = result.content[0].text
    assert leaks(text, tmp_path) == []
    assert "nonsense" not in text


@pytest.mark.slow
@BOTH
async def test_a_broken_project_file_of_a_mapped_folder_is_named_as_the_client_does(
    config_file, here, tmp_path, revision
):
    (here / ".spadework.toml").write_text("nonsense = [\n")
    map_folders(config_file, _home_me=here)
    async with serving() as server, client(server.url, revision) as mcp:
        results = [
            await mcp.call_tool(tool, {"prompt": "Sum up.", "files": ["notes.md"]})
            for tool in ("ask_local_llama", "ask_each")
        ]
    for result in results:
        assert leaks(result.content[0].text, tmp_path) == []


@pytest.mark.slow
async def test_what_a_server_says_of_its_files_is_not_passed_on(
    config_file, openai_double, tmp_path
):
    model_file = tmp_path / "data" / "models" / "llama.gguf"
    said = {"error": {"message": f"cannot open {model_file}: no space"}}
    openai_double.plays(Play(status=500, body=json.dumps(said)))
    async with serving() as server, client(server.url, NEWER) as mcp:
        result = await mcp.call_tool("ask_local_llama", {"prompt": "Hi"})
        each = await mcp.call_tool("ask_each", {"prompt": "Hi", "items": ["one"]})
    for text in (result.content[0].text, each.content[0].text):
        assert leaks(text, tmp_path, model_file.name) == []


def concealed(text, **roots):
    config = Config(http={"roots": {name: Path(where) for name, where in roots.items()}})
    return conceal(text, config, Path("/opt/conf/spadework/config.toml"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/srv/src/a.py: gone", "/home/me/src/a.py: gone"),
        ("in /srv/src", "in /home/me/src"),
        ("'/srv/src'", "'/home/me/src'"),
        ("/srv/src2/a.py", "/srv/src2/a.py"),
        ("/opt/conf/spadework/config.toml:3: no", f"{CONCEALED}:3: no"),
        (f"{os.path.expanduser('~')}/x/y.gguf, or", f"{CONCEALED}, or"),  # noqa: PTH111
        ("http://koala:4000/opt/conf/spadework/x", "http://koala:4000/opt/conf/spadework/x"),
        ("1/2 and a/b", "1/2 and a/b"),
        ("nothing", "nothing"),
    ],
)
def test_the_servers_own_folders_are_taken_out_of_a_message(text, shown):
    assert concealed(text, **{"/home/me/src": "/srv/src"}) == shown


def test_a_clients_folder_below_one_of_the_servers_keeps_its_name():
    home = os.path.expanduser("~")  # noqa: PTH111
    theirs = f"{home}/src"
    assert concealed(f"{theirs}/a.py", **{theirs: "/srv/src"}) == f"{theirs}/a.py"
    assert concealed(f"{home}/other", **{theirs: "/srv/src"}) == CONCEALED
