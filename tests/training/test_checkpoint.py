"""Checkpoints: atomic, verified, copied in place, and nothing in a hostile one is run or believed."""

from __future__ import annotations

import ast
import io
import json
import pickle
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from gannb.training.checkpoint import LAYOUT, Checkpoint, CheckpointError, Checkpoints, Damaged, digest
from tests.training.regimes import REGIMES, open_run

TENSORS = {"a/weight": torch.arange(6.0).reshape(2, 3), "a/count": torch.tensor(3), "b": torch.randn(2, 4, 3, 3)}


def fresh(**more):
    return {name: torch.zeros_like(t) for name, t in TENSORS.items()} | more


def test_what_is_written_is_read(tmp_path):
    path = Checkpoint(TENSORS, {"step": 7, "x": 1e-300}).write(tmp_path / "c.safetensors")
    again, mine = Checkpoint.read(path), fresh()
    again.copy_into(mine)
    assert again.state["step"] == 7 and again.state["x"] == 1e-300
    assert all(torch.equal(mine[name], TENSORS[name]) for name in TENSORS)


def test_strides_stay_as_they_were(tmp_path):
    """Loaded tensors have other strides than channels_last, and fused Adam then computes wrong values."""
    layer = nn.Conv2d(4, 4, 3).to(memory_format=torch.channels_last)
    path = Checkpoint({"weight": layer.weight}, {}).write(tmp_path / "c.safetensors")
    before = layer.weight.detach().clone()
    layer.weight.data.zero_()
    Checkpoint.read(path).copy_into({"weight": layer.weight})
    assert torch.equal(layer.weight, before) and layer.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("at", [3, 20, 200, -1])
def test_one_flipped_bit_is_noticed(at, tmp_path):
    path = Checkpoint(TENSORS, {"step": 7}).write(tmp_path / "c.safetensors")
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(Damaged, match=r"c\.safetensors"):
        Checkpoint.read(path)


def test_other_networks_are_refused_whole(tmp_path):
    path = Checkpoint(TENSORS, {}).write(tmp_path / "c.safetensors")
    mine = fresh(b=torch.zeros(2, 4, 5, 5), more=torch.zeros(1))
    with pytest.raises(
        CheckpointError, match=r"b: \(2, 4, 3, 3\) float32 saved, \(2, 4, 5, 5\).*only in this run: more"
    ):
        Checkpoint.read(path).copy_into(mine)
    assert not mine["a/weight"].any(), "all or none"


def test_another_layout_is_a_clear_error_and_no_damage(tmp_path):
    folder = Checkpoints(tmp_path)
    folder.write(Checkpoint(TENSORS, {"step": 1}), 1)
    state = json.dumps({"layout": LAYOUT - 1, "step": 2})
    head = {"gannb": state, "digest": digest(TENSORS, state)}
    (tmp_path / "step-00000002.safetensors").write_bytes(safetensors.torch.save(TENSORS, head))
    with pytest.raises(CheckpointError, match=f"layout {LAYOUT - 1}; this version of gannb reads layout {LAYOUT}") as e:
        folder.newest()
    assert not isinstance(e.value, Damaged), "an older one before it would not be what was asked for"


def test_the_last_two_are_kept_and_a_damaged_later_one_takes_no_place(tmp_path):
    folder = Checkpoints(tmp_path)
    for step in (1, 2, 3):
        folder.write(Checkpoint(TENSORS, {"step": step}), step)
    assert [step for step, _ in folder.by_step()] == [3, 2]
    (tmp_path / "step-00000009.safetensors").write_bytes(b"damaged")
    for step in (4, 5):
        folder.write(Checkpoint(TENSORS, {"step": step}), step)
    assert [step for step, _ in folder.by_step()] == [9, 5, 4]
    newest, faults = folder.newest()
    assert newest.state["step"] == 5 and "step-00000009" in faults[0]
    assert folder.find("4").name == "step-00000004.safetensors"
    with pytest.raises(CheckpointError, match="no checkpoint '1'; there are: 9, 5, 4, last"):
        folder.find("1")


def test_one_with_a_name_stays(tmp_path):
    folder = Checkpoints(tmp_path)
    folder.write_named(Checkpoint(TENSORS, {"step": 1}), "before the move")
    for step in (1, 2, 3, 4):
        folder.write(Checkpoint(TENSORS, {"step": step}), step)
    (tmp_path / "generator_best_kid.safetensors").write_bytes(safetensors.torch.save(TENSORS))
    (tmp_path / "networks alone.safetensors").write_bytes(safetensors.torch.save(TENSORS))
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    assert folder.named() == {"before the move": 1}
    assert Checkpoint.read(folder.find("before the move")).state["step"] == 1
    assert folder.fault("before the move", 1) == "", "the same step, made again after a kill"
    assert "of step 1; delete before the move.safetensors" in folder.fault("before the move", 5)
    folder.find("before the move").unlink()
    assert folder.fault("before the move", 5) == ""


@pytest.mark.parametrize(
    "name", ["", "best", "last", "12", "step-9", "a/b", "../a", "a.", " a", ".a", "D_best_kid", "a\nb", "x" * 81, "a:b"]
)
def test_a_name_that_no_file_can_have_is_refused(name, tmp_path):
    assert "cannot be called" in Checkpoints(tmp_path).fault(name, 1)


def test_a_checkpoint_with_nan_is_not_good():
    assert Checkpoint(TENSORS, {}).finite
    assert not Checkpoint({"x": torch.tensor([1.0, float("nan")])}, {}).finite


# ---- hostile files ------------------------------------------------------------------------------------------------


class Payload:
    def __reduce__(self):
        return (Path.touch, (Path("owned"),))


def absurd(shape, offsets, dtype="F32"):
    """A safetensors file whose head lies about what follows."""
    head = json.dumps({"x": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(8)


def torch_zip():
    buffer = io.BytesIO()
    torch.save({"x": Payload()}, buffer)
    return buffer.getvalue()


HOSTILE = {
    "pickle": pickle.dumps(Payload()),
    "torch.save": torch_zip(),
    "a shape beyond memory": absurd([2**40, 2**40], [0, 8]),
    "a negative shape": absurd([-1], [0, 8]),
    "offsets beyond the file": absurd([2**20], [0, 2**22]),
    "a head beyond the file": struct.pack("<Q", 2**62) + b"{}",
    "a head of nested lists": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "nothing": b"",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_and_nothing_in_it_is_run(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.safetensors"
    path.write_bytes(HOSTILE[kind])
    with pytest.raises(Damaged):
        Checkpoint.read(path)
    assert not Path("owned").exists()


@pytest.mark.parametrize("name", ["../../../outside", "/etc/outside", "G/module/0.weight/../../x"])
def test_names_in_a_checkpoint_never_become_paths(name, tmp_path):
    """A well-formed file, checksum and all, with a path for a name: its names have to be those of the run."""
    trainer = REGIMES["single"](open_run(tmp_path / "runs"))
    saved = trainer.save()
    path = Checkpoint({**saved.tensors, name: torch.zeros(3)}, saved.state).write(tmp_path / "c.safetensors")
    before, files = trainer.weights(), sorted(tmp_path.rglob("*"))
    with pytest.raises(CheckpointError, match="only in the checkpoint"):
        trainer.load(Checkpoint.read(path))
    assert trainer.weights() == before and sorted(tmp_path.rglob("*")) == files


def test_nothing_in_gannb_unpickles_or_evaluates(root):
    """`pickle`, `torch.load` without weights_only, `eval`, a shell: nowhere.

    CIFAR-10's own files are torchvision's to read, which verifies their checksums first
    (tests/experiments/schedules/test_image_splits.py hands it others).
    """
    faults = []
    for module in sorted((root / "gannb").rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text())):
            match node:
                case ast.ImportFrom(module="pickle" | "dill" | "cloudpickle" | "marshal", names=names):
                    bad = any(alias.name != "UnpicklingError" for alias in names)
                case ast.Attribute(value=ast.Name(id="pickle" | "dill" | "cloudpickle" | "marshal"), attr=used):
                    bad = used != "UnpicklingError"
                case ast.Call(func=ast.Name(id="eval" | "exec")):
                    bad = True
                case ast.Call(func=ast.Attribute(attr="load", value=ast.Name(id="torch")), keywords=given):
                    safe = [k for k in given if k.arg == "weights_only" and getattr(k.value, "value", None) is True]
                    bad = not safe
                case ast.Call(func=ast.Attribute(attr="load", value=ast.Name(id="np")), keywords=given):
                    bad = any(k.arg == "allow_pickle" and getattr(k.value, "value", None) is True for k in given)
                case ast.Call(func=ast.Attribute(attr="system" | "popen", value=ast.Name(id="os"))):
                    bad = True
                case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                    bad = True
                case _:
                    bad = False
            if bad:
                faults.append(f"{module.relative_to(root)}:{getattr(node, 'lineno', '?')}")
    assert faults == []
