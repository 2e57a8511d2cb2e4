"""References of clients that share no disk with the server."""

from contextlib import closing
from pathlib import Path

import pytest
from http_faces import NEWER, OLDER, client, serving

from spadework.errors import ReferenceRefused
from spadework.mcp.http.mapped_folders import MappedFolders
from spadework.storage.ledger import Ledger

BOTH = pytest.mark.parametrize("revision", [OLDER, NEWER])
ONE = MappedFolders({"/home/me/src": Path("/srv/src")})
TWO = MappedFolders({"/home/me/src": Path("/srv/src"), "/home/me/src/big": Path("/mnt/big")})
WINDOWS = MappedFolders({"C:\\Users\\me\\src": Path("/srv/src"), "/other": Path("/mnt/other")})
ALL = MappedFolders({"/": Path("/mnt/laptop"), "/x": Path("/mnt/x")})


@pytest.mark.parametrize(
    ("mapped", "reference", "here"),
    [
        (ONE, "/home/me/src/a.py", "a.py"),
        (ONE, "/home/me/src/a.py:3-9", "a.py:3-9"),
        (ONE, "/home/me/src/**/*.py", "**/*.py"),
        (ONE, "/home/me/src/lib/", "lib/"),
        (ONE, "/home/me/src", "."),
        (ONE, "/home/me/src/", "."),
        (ONE, "/home/me/src//etc/passwd", "etc/passwd"),
        (ONE, "lib/a.py:3", "lib/a.py:3"),
        (ONE, "./a..b", "./a..b"),
        (ONE, "", ""),
        (TWO, "/home/me/src/a.py", "/srv/src/a.py"),
        (TWO, "/home/me/src", "/srv/src"),
        (TWO, "/home/me/src/big/a.bin", "/mnt/big/a.bin"),
        (TWO, "/home/me/src/bigger/a.bin", "/srv/src/bigger/a.bin"),
        (WINDOWS, "C:\\Users\\me\\src\\a.py:3-9", "/srv/src/a.py:3-9"),
        (WINDOWS, "c:/users/ME/src/Lib/A.py", "/srv/src/Lib/A.py"),
        (WINDOWS, "/other/a\\b", "/mnt/other/a\\b"),
        (ALL, "/etc/hosts", "/mnt/laptop/etc/hosts"),
        (ALL, "/x/y", "/mnt/x/y"),
    ],
)
def test_a_reference_below_a_mapped_folder_is_what_it_is_called_here(mapped, reference, here):
    assert mapped.local(reference) == here


@pytest.mark.parametrize(
    ("mapped", "reference", "why"),
    [
        (MappedFolders({}), "a.py", "the server does not see your disk"),
        (MappedFolders({}), "/etc/hosts", "the server does not see your disk"),
        (ONE, "git:diff", "git is not run over HTTP"),
        (MappedFolders({}), "git:log -20", "git is not run over HTTP"),
        (ONE, "/etc/hosts", "sees only the folders that are mapped"),
        (ONE, "/home/me/srcs/a.py", "sees only the folders that are mapped"),
        (ONE, "/home/me", "sees only the folders that are mapped"),
        (ONE, "/srv/src/a.py", "sees only the folders that are mapped"),
        (ONE, "/HOME/me/src/a.py", "sees only the folders that are mapped"),
        (ONE, "~/src/a.py", "sees only the folders that are mapped"),
        (ONE, "C:\\home\\me\\src", "sees only the folders that are mapped"),
        (ONE, "\\\\koala\\share\\a.py", "sees only the folders that are mapped"),
        (ONE, "/home/me/src/../../../etc/passwd", "'..' is not followed"),
        (ONE, "../a.py", "'..' is not followed"),
        (ONE, "..", "'..' is not followed"),
        (TWO, "a.py", "several folders are mapped"),
        (WINDOWS, "C:\\Users\\me\\src\\..\\..\\b", "'..' is not followed"),
    ],
)
def test_any_other_reference_is_refused(mapped, reference, why):
    with pytest.raises(ReferenceRefused) as caught:
        mapped.local(reference)
    assert caught.value.rule == "no-shared-disk"
    assert why in str(caught.value)
    assert caught.value.hint


def map_folders(config_file, **folders):
    lines = [f"{name.replace('_', '/')!r} = {str(folder)!r}" for name, folder in folders.items()]
    config_file.write_text("\n".join([config_file.read_text(), "[http.roots]", *lines, ""]))


async def delegate(revision, *files):
    async with serving() as server, client(server.url, revision) as mcp:
        result = await mcp.call_tool("ask_local_llama", {"prompt": "Sum up.", "files": [*files]})
    return result.is_error, result.content[0].text


@pytest.mark.slow
@BOTH
async def test_without_a_mapped_folder_no_file_is_read(config_file, openai_double, here, revision):
    """Neither a file of this machine by its own path."""
    for reference in (str(here / "notes.md"), "notes.md", "/etc/hostname"):
        is_error, text = await delegate(revision, reference)
        assert is_error
        assert "[no-shared-disk]" in text
        assert "map folders under [http.roots]" in text
    assert openai_double.chats == []


@pytest.mark.slow
@BOTH
async def test_a_file_below_a_mapped_folder_is_read_here(
    config_file, openai_double, here, revision
):
    map_folders(config_file, _home_me=here)
    for reference in ("/home/me/notes.md:2", "notes.md:2", "/home/me/*.md"):
        assert await delegate(revision, reference) == (False, "Three lines.")
        sent = openai_double.chats[-1].json["messages"][-1]["content"]
        assert "2| second line" in sent
        assert str(here) not in sent  # it is called by what the client knows, too


@pytest.mark.slow
@BOTH
async def test_each_file_of_a_mapped_folder_is_asked_about_and_nothing_is_written_here(
    config_file, openai_double, here, revision
):
    for number in range(50):
        (here / f"{number:02}.txt").write_text(f"document {number}\n")
    map_folders(config_file, _home_me=here)
    before = sorted(here.rglob("*"))
    call = {"prompt": "Sum up.", "files": ["/home/me/*.txt"]}
    async with serving() as server, client(server.url, revision) as mcp:
        result = await mcp.call_tool("ask_each", call)
        refused = await mcp.call_tool("ask_each", call | {"save_to": "table.csv"})
        outside = await mcp.call_tool("ask_each", call | {"files": ["/etc/hostname"]})
    lines = result.content[0].text.splitlines()
    assert lines[0].startswith("50 of 50 answered")
    assert lines[-1] == "49.txt\tThree lines."
    assert "does not see your disk" in refused.content[0].text
    assert "[no-shared-disk]" in outside.content[0].text
    assert sorted(here.rglob("*")) == before


@pytest.mark.slow
async def test_with_several_folders_each_is_called_by_its_whole_path(
    config_file, openai_double, here
):
    map_folders(config_file, _home_me=here, _docs=here / "docs")
    assert await delegate(NEWER, "/home/me/notes.md", "/docs/guide.md") == (False, "Three lines.")
    sent = openai_double.chats[-1].json["messages"][-1]["content"]
    assert "first line" in sent
    assert "how to" in sent


@pytest.mark.slow
async def test_the_folders_of_this_machines_own_windows_are_not_for_clients_elsewhere(
    config_file, openai_double, here, tmp_path
):
    own = tmp_path / "own"
    own.mkdir()
    (own / "secret.md").write_text("mine alone\n")
    config_file.write_text(f"roots = [{str(own)!r}]\n{config_file.read_text()}")
    map_folders(config_file, _home_me=here)
    (here / "link").symlink_to(own)
    for reference, rule in (
        (str(own / "secret.md"), "no-shared-disk"),
        ("/home/me/../own/secret.md", "no-shared-disk"),
        ("/home/me/link/secret.md", "outside-roots"),
    ):
        is_error, text = await delegate(NEWER, reference)
        assert is_error
        assert f"[{rule}]" in text
    assert openai_double.chats == []


@pytest.mark.slow
@BOTH
async def test_a_refused_reference_has_its_row(config_file, openai_double, tmp_path, revision):
    await delegate(revision, "notes.md")
    with closing(Ledger(tmp_path / "data" / "ledger.db")) as ledger:
        (row,) = ledger.entries()
    assert (row.outcome, "[no-shared-disk]" in row.error) == ("refused", True)


@pytest.mark.slow
async def test_what_is_never_read_is_not_read_over_http_either(config_file, openai_double, here):
    map_folders(config_file, _home_me=here)
    (here / "id_rsa").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (here / "out").symlink_to("/etc")
    for reference, rule in (
        ("/home/me/id_rsa", "credential-file"),
        ("/home/me/out/hostname", "outside-roots"),
        ("/home/me/nothing.md", "not-found"),
        (" ", "bad-reference"),
    ):
        is_error, text = await delegate(NEWER, reference)
        assert is_error
        assert f"[{rule}]" in text
    assert openai_double.chats == []


@pytest.mark.slow
async def test_the_tools_of_a_mapped_project_are_not_offered(config_file, here):
    """A call could come from any project of the client's."""
    map_folders(config_file, _home_me=here)
    (here / ".spadework.toml").write_text('[tools.sort_ticket]\nuse_for = "tickets"\n')
    async with serving() as server, client(server.url, NEWER) as mcp:
        names = [tool.name for tool in (await mcp.list_tools()).tools]
    assert "sort_ticket" not in names


@pytest.mark.slow
async def test_a_mapped_folder_that_is_missing_here_is_named(config_file, here):
    map_folders(config_file, _home_me=here / "gone")
    is_error, text = await delegate(NEWER, "/home/me/notes.md")
    assert is_error
    assert text.startswith("the folder /home/me does not exist on the server")
    assert str(here) not in text
