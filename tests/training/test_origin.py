"""How a run begins: branches, resumes that are refused, and what a comparison says of two runs."""

from __future__ import annotations

import pytest

from gannb.comparison.two_runs import compare
from gannb.control.commands import Command
from gannb.runs.folder import RunError
from gannb.training.checkpoint import CheckpointError
from tests.training.regimes import REGIMES, declared, open_run


def toy(folder, **given):
    return declared(folder, **given).start()


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """A run of 20 steps whose label was moved by hand at 7."""
    trainer = toy(tmp_path_factory.mktemp("parent"))
    trainer.watchers.append(
        lambda t: t.step == 7 and not t.numbers["lr"].held and t.session.inbox.put(Command("move", "lr", 4e-3))
    )
    trainer.fit(steps=20)
    trainer.finish()
    return trainer


def test_a_branch_without_changes_goes_the_same_way(parent, tmp_path):
    branch = toy(tmp_path, branch=str(parent.checkpoints.find("15")))
    assert branch.step == 15
    branch.fit(steps=20)
    branch.finish()
    found = compare(parent.run.folder, branch.run.folder)
    assert branch.weights() == parent.weights() and found.equal
    assert found.diverged is None and found.rows == 5
    assert found.branches == ("", f"toy/{parent.run.folder.name} at step 15")


def test_a_branch_with_other_numbers_parts_at_its_first_step(parent, tmp_path):
    branch = toy(tmp_path, branch=str(parent.run.folder), real_label=0.7)
    branch.fit(steps=25)
    parent_on = toy(tmp_path, branch=str(parent.run.folder))
    parent_on.fit(steps=25)
    found = compare(parent_on.run.folder, branch.run.folder)
    assert found.parameters == {"real_label": (0.9, 0.7)}
    assert found.diverged == 21 and "D/loss" in found.diverged_in
    assert found.equal is None
    text = repr(found)
    assert "they diverge at step 21" in text and "parameter real_label" in text and "branched from" in text


def test_numbers_of_the_parent_go_on_in_a_branch_and_are_told(parent, tmp_path):
    branch = toy(tmp_path, branch=str(parent.run.folder))
    assert branch.numbers["lr"].value == 4e-3
    assert [(m["step"], m["name"], m["new"]) for m in branch.run.events("move") if m["name"] == "lr"] == [
        (20, "lr", 4e-3)
    ]
    assert branch.run.trajectory("lr")[-1] == (20, 4e-3)
    told = toy(tmp_path, branch=str(parent.run.folder), lr=1e-4)
    assert told.numbers["lr"].value == 1e-4, "what the branch was told stands"
    assert not told.numbers["lr"].held


def test_the_parents_of_moves_stand_in_the_comparison(parent, tmp_path):
    plain = toy(tmp_path)
    plain.fit(steps=20)
    plain.finish()
    found = compare(parent.run.folder, plain.run.folder)
    assert found.moves == [(parent.run.folder.name, 8, "lr", 4e-3, "person")]
    assert found.diverged == 9 and found.equal is False


def test_a_killed_branch_is_resumed_as_a_branch(parent, tmp_path):
    """It stands on disk before its first step; resumed, it must not start from fresh networks."""
    branch = toy(tmp_path, branch=str(parent.run.folder))
    again = toy(tmp_path, resume=str(branch.run.folder))
    assert again.step == 20 and again.weights() == parent.weights()


def test_a_branch_is_replayed_beside_its_checkpoint(parent, tmp_path):
    branch = toy(tmp_path, branch=str(parent.run.folder))
    branch.session.inbox.put(Command("move", "real_label", 0.8))
    branch.fit(steps=25)
    log = str(branch.run.folder / "interventions.yaml")
    again = toy(tmp_path, branch=str(parent.run.folder), replay=log)
    again.fit(steps=25)
    assert again.weights() == branch.weights()
    with pytest.raises(RunError, match="weights is"):
        toy(tmp_path, replay=log)


@pytest.mark.parametrize("where", ["nowhere", "folder", "file"])
def test_nothing_to_branch_from_is_said(where, tmp_path, parent):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(parent.checkpoints.find("20").read_bytes())
    with pytest.raises((RunError, CheckpointError), match=r"no checkpoint|lies in no run folder"):
        toy(tmp_path / "runs", branch=str(tmp_path / where))


def test_a_branch_from_other_networks_is_refused(parent, tmp_path):
    with pytest.raises(CheckpointError, match="of other networks"):
        REGIMES["wgan"](open_run(tmp_path, branch=str(parent.run.folder))).start()


def test_comparing_what_is_no_run(tmp_path, parent):
    with pytest.raises(FileNotFoundError, match="is no run folder"):
        compare(parent.run.folder, tmp_path)
