"""Starting from other weights: what matches is copied and the rest said; frozen layers stay; resuming is exact."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.config.faults import ParameterError
from gannb.runs.checks import RunError
from gannb.training.player import layers
from gannb.training.trainer import Trainer
from gannb.training.transfer import _copy
from tests.training.regimes import Toy, declared, open_run


def state(trainer: Trainer, player: str, part: str = "module") -> dict[str, torch.Tensor]:
    module = getattr(trainer.players[player], part)
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def parent(tmp_path_factory) -> Trainer:
    trainer = declared(tmp_path_factory.mktemp("parent"))
    trainer.fit(steps=20, quiet=True)
    return trainer


def report(trainer: Trainer, player: str, part: str = "module") -> dict:
    found = [e for e in trainer.run.events("initialised") if (e["player"], e["part"]) == (player, part)]
    return found[0]["report"]


# ------------------------------------------------------------------------------------------------ what is copied


def test_a_run_gives_networks_and_averages_but_no_moments(parent: Trainer, tmp_path: Path, capsys) -> None:
    trainer = declared(tmp_path, init_from=str(parent.run.folder)).start()
    for player, part in (("G", "module"), ("G", "average"), ("D", "module")):
        assert equal(state(trainer, player, part), state(parent, player, part))
    assert not equal(state(trainer, "G"), state(trainer, "G", "average"))
    assert trainer.step == 0 and all(not moment.any() for k, moment in trainer.tensors().items() if "/adam/" in k)
    assert "G starts from step-00000020.safetensors: 4 matched\n" in capsys.readouterr().out
    assert report(trainer, "D") == {"matched": list(state(trainer, "D")), "resized": [], "left": [], "unused": []}


def test_the_best_of_a_run_is_taken_where_it_keeps_one(parent: Trainer, tmp_path: Path) -> None:
    kept = declared(tmp_path / "kept")
    kept.every(steps=10, do=lambda t: t.keep_best("kid", -1.0 if t.step == 10 else 0.0))
    kept.fit(steps=20, quiet=True)
    trainer = declared(tmp_path / "new", init_from=str(kept.run.folder)).start()
    assert equal(state(trainer, "G", "average"), kept.best_network("G").state_dict())


def test_names_without_a_player_go_to_the_network_that_they_fit(parent: Trainer, tmp_path: Path, capsys) -> None:
    file = tmp_path / "model.safetensors"
    safetensors.torch.save_file(state(parent, "G"), file)
    trainer, fresh = declared(tmp_path, init_from=str(file)).start(), declared(tmp_path)
    assert equal(state(trainer, "G"), state(parent, "G")) and equal(state(trainer, "G", "average"), state(parent, "G"))
    assert equal(state(trainer, "D"), state(fresh, "D"))
    assert "D starts anew" in capsys.readouterr().out


def test_nested_torch_dictionaries_and_their_moving_average(parent: Trainer, tmp_path: Path) -> None:
    nested = {"G": state(parent, "G"), "D": state(parent, "D"), "G_ema": state(parent, "G", "average")}
    torch.save({"step": 7, "networks": nested}, tmp_path / "other.pt")
    trainer = declared(tmp_path, init_from=str(tmp_path / "other.pt")).start()
    for player, part in (("G", "module"), ("G", "average"), ("D", "module")):
        assert equal(state(trainer, player, part), state(parent, player, part))


def test_other_widths_are_filled_as_far_as_both_reach(parent: Trainer, tmp_path: Path, capsys) -> None:
    trainer = declared(tmp_path, width=24, batch_norm=True, init_from=str(parent.run.folder))
    before = state(trainer, "G")
    trainer.start()
    after, theirs = state(trainer, "G"), state(parent, "G")
    assert torch.equal(after["0.weight"][:16], theirs["0.weight"])
    assert torch.equal(after["0.weight"][16:], before["0.weight"][16:])
    found = report(trainer, "G")
    assert found["resized"] == ["0.weight", "0.bias", "3.weight"] and found["matched"] == ["3.bias"]
    assert all(name.startswith("1.") for name in found["left"]) and found["left"]
    assert "1 matched, 3 resized (0.weight, 0.bias, 3.weight), 5 left (1.weight" in capsys.readouterr().out


SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=3)


@settings(max_examples=60)
@given(SHAPES.flatmap(lambda mine: st.tuples(st.just(mine), st.lists(st.integers(1, 5), min_size=1, max_size=3))))
def test_every_pair_of_shapes_is_copied_where_they_overlap(shapes: tuple[list[int], list[int]]) -> None:
    mine, theirs = torch.zeros(shapes[0]), torch.ones(shapes[1])
    found = _copy({"p.w": theirs}, "p.", {"w": mine})
    if mine.ndim != theirs.ndim:
        assert found["left"] == ["w"] and not mine.any()
        return
    both = tuple(slice(min(a, b)) for a, b in zip(*shapes))
    assert mine[both].all() and mine.sum() == mine[both].numel()
    assert found["matched" if shapes[0] == shapes[1] else "resized"] == ["w"]


# -------------------------------------------------------------------------------------- what learns, and how fast


def test_frozen_layers_of_d_stay_and_everything_else_learns(tmp_path: Path) -> None:
    trainer = declared(tmp_path, freeze_d=1)
    before = {name: state(trainer, name) for name in ("G", "D")}
    trainer.fit(steps=10, quiet=True)
    moved = {f"{p}.{n}" for p in before for n, t in state(trainer, p).items() if not torch.equal(t, before[p][n])}
    assert moved == {"G.0.weight", "G.0.bias", "G.3.weight", "G.3.bias", "D.3.weight", "D.3.bias"}
    assert not any("D/adam/0." in name for name in trainer.tensors())


def test_a_factor_scales_adam_s_first_step(tmp_path: Path) -> None:
    def first_step(**given: object) -> dict[str, torch.Tensor]:
        trainer = declared(tmp_path, **given)
        before = state(trainer, "D")
        trainer.fit(steps=1, quiet=True)
        return {name: tensor - before[name] for name, tensor in state(trainer, "D").items()}

    plain, scaled = first_step(), first_step(layer_rates={"D.0": 0.1, "D.0.bias": 2.0})
    torch.testing.assert_close(scaled["0.weight"], 0.1 * plain["0.weight"], rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(scaled["0.bias"], 2 * plain["0.bias"], rtol=1e-3, atol=1e-7)
    assert torch.equal(scaled["3.weight"], plain["3.weight"]) and plain["0.weight"].abs().max() > 1e-3


def test_a_layer_is_a_part_or_a_part_of_a_container() -> None:
    from gannb.networks import registry

    D = registry.discriminator("dcgan", 8, 16, 1, attention_at=[8])
    assert layers(D) == ["blocks.8", "blocks.4", "attention.8", "logit"]


def test_resuming_is_exact_and_needs_the_file_no_more(parent: Trainer, tmp_path: Path) -> None:
    file = tmp_path / "start.safetensors"
    safetensors.torch.save_file({f"G.{name}": tensor for name, tensor in state(parent, "G").items()}, file)
    given = {"init_from": str(file), "freeze_d": 1, "layer_rates": {"G.0": 0.5}}
    whole = declared(tmp_path / "whole", **given)
    whole.fit(steps=16, quiet=True)
    first = declared(tmp_path / "parts", **given)
    first.fit(steps=7, quiet=True)
    file.unlink()
    again = declared(tmp_path / "parts", **given, resume=str(first.run.folder))
    assert Toy(**given, resume=str(first.run.folder)).on_this_machine()
    again.fit(steps=16, quiet=True)
    assert again.weights() == whole.weights() and len(again.run.events("initialised")) == 3
    assert declared(tmp_path / "plain").start().weights() != whole.weights()


# ------------------------------------------------------------------------------------------------ what is refused


class Code:
    """Would leave a file behind if a pickle were run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_bad_files_are_named_before_a_folder_is_made_and_no_code_is_run(parent: Trainer, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "code.pt").write_bytes(pickle.dumps({"w": Code(tmp_path / "was run")}))
    torch.save({"w": Code(tmp_path / "was run")}, files / "code.pth")
    (files / "text.bin").write_text("no weights")
    torch.save([1, 2], files / "list.pt")
    torch.save({"G": {"step": 3}}, files / "empty.pt")
    torch.save({"0.weight": torch.tensor([float("nan")])}, files / "nan.pt")
    whole = next((parent.run.folder / "checkpoints").glob("step-*")).read_bytes()
    (files / "cut.safetensors").write_bytes(whole[:-9])
    for name, expected in {
        "code.pt": "cannot be read as weights alone",
        "code.pth": "cannot be read as weights alone",
        "text.bin": "cannot be read as weights alone",
        "list.pt": "holds no tensors by name, but list",
        "empty.pt": "holds no tensors by name",
        "nan.pt": "NaN or infinity in 0.weight",
        "cut.safetensors": "init_from: cut.safetensors is no checkpoint, or a damaged one",
    }.items():
        with pytest.raises(RunError, match=expected):
            open_run(tmp_path / "runs", init_from=str(files / name))
    with pytest.raises(RunError, match="no checkpoint and no run folder"):
        open_run(tmp_path / "runs", init_from=str(files))
    assert not (tmp_path / "was run").exists() and not (tmp_path / "runs").exists()
    for name, expected in {"gone.pt": "no such file", "text.txt": r"a \.txt file"}.items():
        (files / "text.txt").touch()
        with pytest.raises(ParameterError, match=expected):
            Toy(init_from=str(files / name)).on_this_machine()


@pytest.mark.parametrize(
    "given, expected",
    [
        ({"freeze_d": 2}, "freeze_d: given 2, D has 2 layers: 0, 3"),
        ({"layer_rates": {"E.0": 0.1}}, "no player is called 'E'; there are: D, G"),
        ({"layer_rates": {"G.1": 0.1}}, "G has no layer '1'; it has: 0, 3"),
        ({"layer_rates": {"G.0": 0, "G.3": 0}}, "every layer of G is frozen"),
    ],
)
def test_layers_that_are_not_there_are_named(given: dict, expected: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=expected):
        declared(tmp_path, **given)


@pytest.mark.parametrize("rates", [{"G": 0.1}, {"G.0": -1}, {"G.0": float("nan")}, {"G.0": "fast"}, {"G.0": True}])
def test_bad_rates_are_refused_with_the_parameters(rates: dict) -> None:
    with pytest.raises(ParameterError, match=r"layer_rates.*a factor from 0 to 1000"):
        Toy(layer_rates=rates)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.ones(3)}, tmp_path / "other.pt")
    with pytest.raises(RunError, match=r"nothing in other\.pt matches .* such as conv\.weight, this run's"):
        declared(tmp_path, init_from=str(tmp_path / "other.pt")).start()


def test_a_branch_brings_its_own_weights(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="give one of the two"):
        Toy(init_from="a.pt", branch="b")


def test_options_at_their_default_leave_a_run_the_same() -> None:
    assert not {"init_from", "freeze_d", "layer_rates"} & set(Toy().settings())
    assert Toy(freeze_d=1).settings()["freeze_d"] == 1 and Toy(freeze_d=1).hash != Toy().hash
    assert (
        "freeze_d" not in repr(Toy()) and "freeze_d" in repr(Toy(freeze_d=1)) and "freeze_d" in repr(Toy().table(True))
    )
