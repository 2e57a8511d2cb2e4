"""Repositories of git for the tests of references."""

import subprocess

from projects import build


def git(folder, *arguments, check=True, **options):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = ["git", *identity, "-c", "commit.gpgSign=false", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        check=check,
        capture_output=True,
        text=True,
        errors="replace",
        **options,
    )
    return done.stdout


def commit(folder, message, files=()):
    build(folder, dict(files))
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-qm", message)


def begin(folder, files=()):
    """Make a folder a repository with one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-qb", "main")
    commit(folder, "Begin", files or {"a.txt": "one\n"})
    return folder


def conflict(folder, base, ours, theirs):
    """Leave a repository in the middle of a merge that both sides changed the same files in."""
    git(folder, "init", "-qb", "main")
    commit(folder, "Base", base)
    git(folder, "checkout", "-qb", "theirs")
    commit(folder, "Theirs", theirs)
    git(folder, "checkout", "-q", "main")
    commit(folder, "Ours", ours)
    git(folder, "merge", "-q", "theirs", check=False)
    return folder
