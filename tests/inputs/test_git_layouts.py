"""A `.git` folder that leads to another repository shows nothing of it; ordinary layouts work."""

import os
import shutil

import pytest
from git_repositories import begin, commit, git
from projects import build, read, refused

from spadework.references.git import repository


@pytest.fixture
def victim(tmp_path):
    """A repository outside the roots; the name of its commit is known to the attacker."""
    return begin(tmp_path / "victim", {"plan.txt": "hunter2\n"})


@pytest.fixture
def own(tmp_path, victim):
    """The attacker's repository, with a branch that is the victim's commit."""
    project = begin(tmp_path / "own")
    name = git(victim, "rev-parse", "HEAD")
    (project / ".git/refs/heads/stolen").write_text(name)
    return project


def lend(project, entry):
    path = project / ".git/objects/info/alternates"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(entry if isinstance(entry, bytes) else entry.encode())


def refusal(project, **options):
    """Why the victim's file is refused; nothing of it is in the message."""
    errors = [
        refused(project, reference, **options)
        for reference in ("git:show stolen:plan.txt", "git:show stolen", "git:log", "git:diff")
    ]
    assert not any("hunter2" in f"{error} {error.hint}" for error in errors)
    assert {error.rule for error in errors} == {"git"}
    return str(errors[0])


def octal(path):
    return '"' + "".join(f"\\{byte:03o}" for byte in os.fsencode(path)) + '"'


@pytest.mark.parametrize(
    "entry",
    [
        "{objects}",
        "{objects}\n",
        '"{objects}"\n',
        "{octal}",
        "# a comment\n\n{objects}\n",
        '"/nowhere" {objects}\n',  # git reads on one byte behind the quotation
        '"/nowhere"#{objects}\n',
        "../../../victim/.git/objects",
        '"../../../victim/.git/objects"',
        "{link}",
        "{objects}/",
        "{objects}\0 rest\n",
        "/nowhere\n{objects}",
    ],
)
def test_alternates_are_read_as_git_reads_them(own, victim, entry):
    objects = victim / ".git/objects"
    (own / "link").symlink_to(objects)
    lend(own, entry.format(objects=objects, octal=octal(objects), link=own / "link"))
    assert "hunter2" in git(own, "show", "stolen:plan.txt")  # the trap is real
    assert "outside the roots (alternates)" in refusal(own)
    if "nowhere" not in entry:
        material = read(own, "git:show stolen:plan.txt", extra=[victim])
        assert material.sources[0].text == "hunter2\n"


@pytest.mark.parametrize("entry", ["#{objects}\n", '"{objects}\n', "\0{objects}\n", ""])
def test_what_git_takes_for_no_alternate_is_none(own, victim, entry):
    lend(own, entry.format(objects=victim / ".git/objects"))
    assert "hunter2" not in git(own, "show", "stolen:plan.txt", check=False)
    assert "Begin" in read(own, "git:log").sources[0].text


@pytest.mark.parametrize("depth", [1, 3, 5, 8])
def test_alternates_of_alternates_are_followed(own, victim, depth):
    """Inside the roots themselves, all but the last."""
    chain = [own / f"lender{n}" for n in range(depth)]
    for folder, following in zip(chain, [*chain[1:], victim / ".git/objects"], strict=True):
        build(folder, {"info/alternates": f"{following}\n", "pack/": ""})
    lend(own, f"{chain[0]}\n")
    assert "alternates" in refusal(own)


def test_alternates_in_a_circle_end(own):
    lend(own, f"{own}/a\n")
    build(own, {"a/info/alternates": f"{own}/b\n", "b/info/alternates": f"{own}/a\n"})
    assert "Begin" in read(own, "git:log").sources[0].text


LINKS = ["objects", "objects/pack", "objects/info", "objects/{fan}", "objects/{loose}"]


@pytest.mark.parametrize("path", LINKS)
def test_links_below_the_objects_are_not_followed(own, victim, path):
    name = git(victim, "rev-parse", "HEAD:plan.txt").strip()
    path = path.format(fan=name[:2], loose=f"{name[:2]}/{name[2:]}")
    target, link = victim / ".git" / path, own / ".git" / path
    (victim / ".git/objects/info").mkdir(exist_ok=True)
    if link.exists():
        link.rename(own / "aside")
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target)
    assert "symlink" in refusal(own)


def test_a_pack_that_is_a_link_is_not_followed(own, victim):
    git(victim, "repack", "-adq")
    for one in (victim / ".git/objects/pack").iterdir():
        (own / ".git/objects/pack" / one.name).symlink_to(one)
    assert "hunter2" in git(own, "show", "stolen:plan.txt")  # the trap is real
    assert "symlink" in refusal(own)


@pytest.mark.parametrize(
    "path",
    ["refs", "refs/heads", "refs/heads/x", "packed-refs", "HEAD", "logs", "index", "ORIG_HEAD"],
)
def test_links_instead_of_refs_and_the_index_are_not_followed(own, victim, path):
    git(victim, "branch", "x")
    git(victim, "pack-refs", "--all")
    git(victim, "branch", "-f", "x")
    build(victim / ".git", {"refs/heads/x": git(victim, "rev-parse", "HEAD"), "ORIG_HEAD": ""})
    link = own / ".git" / path
    if link.exists():
        link.rename(own / "aside")
    link.symlink_to(victim / ".git" / path)
    error = refused(own, "git:log")
    assert error.rule == "git"
    assert "symlink" in str(error) or "not a git repository" in str(error)


def test_a_link_in_what_a_lender_inside_the_roots_has_is_not_followed(own, victim):
    build(own, {"lender/info/": ""})
    (own / "lender/pack").symlink_to(victim / ".git/objects/pack")
    lend(own, f"{own}/lender\n")
    assert "symlink" in refusal(own)


def test_a_fifo_among_the_refs_does_not_hang(own):
    os.mkfifo(own / ".git/refs/heads/fifo")
    assert "neither a file nor a folder" in str(refused(own, "git:log"))


@pytest.mark.parametrize("pointer", ["gitdir: evil\n", "gitdir: evil/worktrees/x\n"])
def test_a_git_file_with_a_commondir_elsewhere_is_refused(tmp_path, victim, pointer):
    project = tmp_path / "thief"
    folder = project / pointer.removeprefix("gitdir: ").strip()
    back = {"commondir": f"{victim}/.git\n", "gitdir": f"{project}/.git\n"}
    build(folder, back | {"HEAD": "ref: refs/heads/main\n"})
    build(project, {".git": pointer})
    assert "hunter2" in git(project, "show", "main:plan.txt")  # the trap is real
    error = refused(project, "git:show main:plan.txt")
    assert "does not know this folder" in str(error)


def test_a_submodule_that_leads_elsewhere_is_left_out(own, victim):
    git(own, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    build(own, {"sub/.git": f"gitdir: {victim}/.git\n", "a.txt": "two\n"})
    name = git(victim, "rev-parse", "HEAD").strip()
    assert name in git(own, "diff")  # the trap is real
    material = read(own, "git:diff")
    assert name not in material.sources[0].text
    assert "+two" in material.sources[0].text
    assert [one.path for one in material.left_out] == ["sub"]


def test_variables_for_objects_elsewhere_are_not_read(own, victim, monkeypatch):
    monkeypatch.setenv("GIT_ALTERNATE_OBJECT_DIRECTORIES", f"{victim}/.git/objects")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", f"{victim}/.git/objects")
    assert "hunter2" in git(own, "show", "stolen:plan.txt")  # the trap is real
    assert refused(own, "git:show stolen:plan.txt").rule == "git"


def test_a_config_that_includes_files_elsewhere_shows_nothing_of_them(own, tmp_path):
    build(tmp_path, {"secret": "[user]\n name = hunter2\n[log]\n date = format:hunter2\n"})
    build(tmp_path, {"mailmap": "hunter2 <a@example.org>\n"})
    git(own, "config", "include.path", str(tmp_path / "secret"))
    git(own, "config", "mailmap.file", str(tmp_path / "mailmap"))
    assert "hunter2" in git(own, "log")  # the trap is real
    assert "hunter2" not in read(own, "git:log -p").sources[0].text


def test_a_repository_of_endless_files_is_refused(own, monkeypatch):
    monkeypatch.setattr(repository, "MOST_ENTRIES", 20)
    build(own / ".git", {f"refs/heads/{n}": "" for n in range(30)})
    assert "git gc" in str(refused(own, "git:log"))


def ordinary(top, kind):
    """Ordinary repositories, each with the file a.txt changed in the work tree."""
    origin = begin(top / "origin", {"a.txt": "one\n"})
    commit(origin, "More", {"b.txt": "b\n"})
    project = top / "project"
    if kind == "worktree":
        git(origin, "worktree", "add", "-q", str(project))
    elif kind == "submodule":
        outer = begin(top / "outer")
        add = ["-c", "protocol.file.allow=always", "submodule", "-q", "add", str(origin), "project"]
        git(outer, *add)
        project = outer / "project"
    elif kind == "separate":
        project = top / "project"
        git(top, "clone", "-q", f"--separate-git-dir={top}/project/hidden.git", "origin", "project")
    elif kind == "subfolder":
        commit(origin, "Below", {"project/a.txt": "one\n"})
        project = origin / "project"
    elif kind == "sha256":
        shutil.rmtree(origin)
        origin.mkdir()
        git(origin, "init", "-q", "--object-format=sha256")
        commit(origin, "Begin", {"a.txt": "one\n"})
        project = origin
    elif kind == "reference":
        git(top, "clone", "-q", "--reference", str(origin), "origin", "project")
        shutil.move(origin, project / "origin")
        lend(project, f"{project}/origin/.git/objects\n")
    elif kind == "unborn":
        project.mkdir()
        git(project, "init", "-q")
        build(project, {"a.txt": "one\n"})
        git(project, "add", ".")
    else:
        git(top, "clone", "-q", *kind.split(), str(origin), "project")
    if kind == "--quiet":
        git(project, "gc", "-q")
        (project / ".git/HEAD").unlink()
        (project / ".git/HEAD").symlink_to("refs/heads/main")
        git(project, "branch", "other")
        git(project, "checkout", "-q", "-B", "main")
    build(project, {"a.txt": "two\n"})
    return project


@pytest.mark.parametrize(
    "kind",
    [
        *("--no-hardlinks", "--local", "--quiet", "--depth=1 --no-local", "worktree", "submodule"),
        *("separate", "subfolder", "reference", "sha256", "unborn"),
    ],
)
def test_ordinary_layouts_are_read(tmp_path, kind):
    project = ordinary(tmp_path, kind)
    assert "-one\n+two\n" in read(project, "git:diff").sources[0].text
    if kind != "unborn":
        assert "commit " in read(project, "git:log -p").sources[0].text
        assert "diff --git" in read(project, "git:show").sources[0].text
