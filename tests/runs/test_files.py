"""Writes that are whole or not there."""

from __future__ import annotations

import errno
import os

import pytest

from gannb.runs import files


def test_a_write_that_fails_leaves_the_old_content_and_no_halves(tmp_path, monkeypatch):
    path = files.write_bytes(tmp_path / "deep" / "f", b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(
        OSError, match=r"could not write \S+/f \(No space left on device\); the file before it is untouched"
    ):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_the_content_is_on_disk_before_the_name(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, files.Path.replace
    monkeypatch.setattr(files.os, "fsync", lambda h: (order.append("fsync"), fsync(h)))
    monkeypatch.setattr(files.Path, "replace", lambda a, b: (order.append("rename"), replace(a, b))[1])
    files.write_bytes(tmp_path / "f", b"x")
    assert order == ["fsync", "rename", "fsync"], "the file, its name, the folder"


def test_appending_is_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_text("one\n")
    files.append(path, "two\n")
    write = os.write

    def half(handle, content):
        write(handle, content[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as m:
        m.setattr(files.os, "write", half)
        with pytest.raises(OSError, match=r"could not add to \S+/log"):
            files.append(path, "three\n", sync=True)
    files.append(path, "four\n", sync=True)
    assert path.read_text() == "one\ntwo\nfour\n"


def test_appending_in_small_portions(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.touch()
    write = os.write
    monkeypatch.setattr(files.os, "write", lambda handle, content: write(handle, content[:3]))
    files.append(path, "a long line with ümläuts\n")
    assert path.read_text(encoding="utf-8") == "a long line with ümläuts\n"


def test_what_is_gone_is_not_made_anew(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.append(tmp_path / "log", "x\n")
    assert not (tmp_path / "log").exists()


def test_a_torn_last_line_is_left_out_and_damage_before_it_is_an_error(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert files.read_lines(path) == [{"step": 1}, {"step": 2}]
    files.drop_torn_line(path)
    files.append(path, '{"step": 3}\n')
    assert [row["step"] for row in files.read_lines(path)] == [1, 2, 3]
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(ValueError, match=r"rows\.jsonl: line 2 is damaged"):
        files.read_lines(path)
    assert files.read_lines(tmp_path / "nothing.jsonl") == []
