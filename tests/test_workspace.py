"""Artifacts are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mintage import workspace
from mintage.errors import MintageError
from mintage.workspace import Workspace, content_of, file_sha256, publish_directory, write_atomic


def test_published_directory_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "models" / "a"
    with publish_directory(target) as directory:
        (directory / "weights").write_text("1")
        assert not target.exists()
    assert (target / "weights").read_text() == "1"
    assert list(target.parent.iterdir()) == [target]


def test_failed_publication_leaves_the_old_artifact_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with publish_directory(target) as directory:
        (directory / "weights").write_text("old")
    with pytest.raises(ZeroDivisionError), publish_directory(target) as directory:
        (directory / "weights").write_text("new")
        raise ZeroDivisionError
    assert (target / "weights").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_full_disk_is_one_clear_error_and_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(workspace.os, "fsync", full)
    with pytest.raises(MintageError, match="disk is full"), publish_directory(tmp_path / "a") as directory:
        (directory / "weights").write_text("new")
    with pytest.raises(MintageError, match="disk is full"):
        write_atomic(tmp_path / "card.json", "{}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_killed_publisher_leaves_no_half_artifact(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with publish_directory(target) as directory:
        (directory / "weights").write_text("old")
    script = (
        "import sys, time; from pathlib import Path; from mintage.workspace import publish_directory\n"
        "with publish_directory(Path(sys.argv[1])) as directory:\n"
        "    (directory / 'weights').write_text('half'); print('writing', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(target)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert (target / "weights").read_text() == "old"
    with publish_directory(target) as directory:
        (directory / "weights").write_text("new")
    assert (target / "weights").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target], "the dead publisher's leftovers are swept away"


def test_artifact_retired_by_a_killed_publisher_comes_back(tmp_path: Path) -> None:
    retired = tmp_path / "models" / ".a.retired.tmp"
    retired.mkdir(parents=True)
    (retired / "weights").write_text("old")
    assert Workspace(tmp_path).card("models", "a") is None  # it has no card, but it is back in its place
    assert (tmp_path / "models" / "a" / "weights").read_text() == "old"


def test_hashes_are_sha256_of_bytes_and_cover_names(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert file_sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
    _, before = content_of(tmp_path)
    (tmp_path / "x").rename(tmp_path / "y")
    _, after = content_of(tmp_path)
    assert before != after


def test_only_one_command_writes_to_a_workspace(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    script = (
        "import sys, time; from mintage.workspace import Workspace\n"
        "with Workspace(sys.argv[1]).lock(): print('locked', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(MintageError, match="another mintage command"), place.lock():
            pass
        child.kill()
        child.wait()
    time.sleep(0.05)
    with place.lock():
        pass


def test_unknown_artifact_names_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(MintageError, match="none yet"):
        Workspace(tmp_path).find("nothing")
