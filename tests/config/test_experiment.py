"""One declaration a parameter: everything wrong is named at once, in words, before anything heavy is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gannb.config.experiment import Experiment
from gannb.config.faults import ParameterError
from gannb.config.fields import param
from gannb.config.rules import rule
from gannb.control.numbers import Numbers


class Small(Experiment):
    """Parameters of every kind."""

    name = "small"
    data: str = param("rendered", "what to learn from")
    seed: int = param(0, "every random draw follows from it", low=0)
    epochs: int = param(4, "passes", low=1, high=1000, grows=True)
    lr: float = param(1e-2, "learning rate", low=0, high=1, open_low=True, slider=(1e-6, 1e-2), scale="log", moves=True)
    low: float = param(0.1, "a lower bound", low=0, high=1, moves=True, unit="px")
    high: float = param(0.9, "an upper bound", low=0, high=1, moves=True)
    turns: int = param(1, "turns a step", low=0, high=8, moves=True)
    loss: str = param("bce", "which", choices=("bce", "hinge", "wasserstein"))
    flips: bool = param(True, "mirror images")
    sizes: list[float] = param([1.0, 2.0], "some sizes", low=0)
    lengths: list[int] = param([16, 32], "some lengths", low=1)

    @rule("low", "high")
    def _ordered(p):
        return None if p.low < p.high else "low must be below high"


def faults(**given):
    with pytest.raises(ParameterError) as error:
        Small(**given)
    return {fault.field: fault for fault in error.value.faults}


def test_all_faults_are_named_at_once():
    found = faults(epochs=0, lr=2.0, loss="hinje", sead=3, flips="perhaps", seed="abc", sizes=[1.0, -1.0])
    assert set(found) == {"epochs", "lr", "loss", "sead", "flips", "seed", "sizes"}
    assert str(found["epochs"]) == "epochs: given 0; allowed: [1, 1000]"
    assert str(found["lr"]) == "lr: given 2.0; allowed: (0, 1]"
    assert str(found["loss"]) == "loss: given 'hinje'; allowed: bce | hinge | wasserstein; did you mean 'hinge'?"
    assert str(found["sead"]) == "sead: given 3; no parameter of this name; did you mean 'seed'?"
    assert str(found["seed"]) == "seed: given 'abc'; allowed: a whole number"
    assert str(found["flips"]) == "flips: given 'perhaps'; allowed: true or false"


def test_rules_across_fields_are_named_beside_the_others():
    found = faults(low=0.8, high=0.3, epochs=0)
    assert set(found) == {"low + high", "epochs"}
    assert str(found["low + high"]) == "low + high: given low=0.8, high=0.3; low must be below high"
    assert set(faults(low=5.0, high=0.3)) == {"low"}, "a rule is not asked while one of its fields is wrong"


def test_a_rule_is_not_asked_while_something_that_it_reads_is_wrong():
    class Reads(Small):
        @rule("turns", reads=("lr",))
        def _reads(p):
            return "too fast" if p.turns * p.lr > 0.5 else None

    with pytest.raises(ParameterError, match="turns: given 2; too fast"):
        Reads(turns=2, lr=0.9)
    with pytest.raises(ParameterError, match="lr: given 'abc'; allowed"):
        Reads(turns=2, lr="abc")


def test_a_rule_about_beginnings_lets_numbers_move():
    class Begins(Small):
        @rule("lr", "turns", moving=False)
        def _begins(p):
            return None if p.turns else "the first step needs a turn"

    with pytest.raises(ParameterError, match="needs a turn"):
        Begins(turns=0)
    assert Begins().fault_in({"turns": 0}, "turns") is None and "below high" in Begins().fault_in({"low": 0.95}, "low")


def test_rules_across_fields_hold_for_moves_too():
    numbers = Numbers.of(Small())
    assert set(numbers.parameters) == {"lr", "low", "high", "turns"}
    assert numbers.move(0, "low", 0.95, "person").outcome == "refused: low must be below high"
    assert numbers.move(0, "high", 1.0, "person").applied
    assert numbers.move(0, "low", 0.95, "person").applied


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [("lr", "1e-3", 1e-3), ("lr", "0.5", 0.5), ("lr", 1, 1.0), ("epochs", "12", 12), ("epochs", 3.0, 3),
     ("epochs", "1e2", 100), ("flips", "no", False), ("flips", "True", True), ("sizes", (1, "2e-1"), [1.0, 0.2])],
)  # fmt: skip
def test_numbers_that_papermill_made_strings_are_read(name, given, expected):
    value = getattr(Small(**{name: given}), name)
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(
    ("name", "given"),
    [("epochs", 2.5), ("epochs", True), ("epochs", "two"), ("lr", "nan"), ("lr", None), ("data", 7), ("flips", 1)],
)
def test_other_types_are_not_read_into_something(name, given):
    assert set(faults(**{name: given})) == {name}


def test_a_namespace_gives_its_fields_and_nothing_else_is_looked_at():
    assert Small.of({"seed": 3, "lr": "1e-3", "unrelated": object()}).settings()["seed"] == 3


CELL = "data: str = 'x'\nseed: int = 0\nepochs: int = 4\n"


@pytest.mark.parametrize(
    ("cells", "misspelt"),
    [
        (["", "import torch", CELL + "epohcs = 9"], "epohcs"),
        (["", CELL, "# Parameters\nepochss = 9"], "epochss"),
        (["", CELL, "# Parameters\nseed = 1\ndata = 'y'\nepochs = 2\nlearning_rate = 0.1"], "learning_rate"),
        (["", CELL + "lrr = 1", "# Parameters\nseed = 1\ndata = 'y'\nepochs = 2"], "lrr"),
        (["", CELL + "sise = [1, 2]\nlow = -1.0"], "sise"),
    ],
)
def test_misspelt_names_in_the_parameters_cells_are_faults(cells, misspelt):
    """papermill only warns of a name that no field has, and goes on."""
    namespace = {"In": cells, "seed": 0, "epochs": 4, "data": "x", misspelt: 9}
    with pytest.raises(ParameterError, match=f"{misspelt}: given 9; no parameter of this name"):
        Small.of(namespace)


def test_names_of_other_cells_are_no_faults():
    cells = ["", "width = 3", "%matplotlib inline", CELL, "# Parameters\nseed = 5", "count = 7"]
    namespace = {"In": cells, "width": 3, "seed": 5, "count": 7}
    assert Small.of(namespace).seed == 5
    assert Small.of({"seed": 1}).seed == 1, "and without a notebook around it there are no cells"


def test_the_hash_is_of_the_settings_and_not_of_how_it_is_carried_out():
    assert Small().hash == Small(device="cpu", threads=3, live="off", deterministic=True).hash
    assert Small().hash != Small(seed=1).hash
    assert "threads" not in Small().settings() and len(Small().hash) == 12


def test_how_it_is_carried_out_is_checked_too():
    assert str(faults(device="gpu")["device"]) == "device: given 'gpu'; allowed: auto | cpu | cuda | cuda:N"
    assert set(faults(live="maybe", threads=-1)) == {"live", "threads"}


def test_parameters_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Small().seed = 3


def test_the_table_has_a_row_a_parameter():
    text = repr(Small())
    assert "small, parameters" in text and "learning rate" in text and "device" not in text
    assert len(Small().table()) == len(Small().settings())


def test_bad_values_end_fast_and_without_torch():
    """Under two seconds, before a kernel starts; torch alone takes longer to load."""
    script = """
import sys, time
began = time.perf_counter()
from gannb.config.experiment import Experiment
from gannb.config.faults import ParameterError
from gannb.config.fields import param
class P(Experiment):
    name = "p"
    seed: int = param(0, "seed", low=0)
try:
    P(seed=-1, sede=3)
except ParameterError as error:
    print(len(error.faults), time.perf_counter() - began, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    faults, seconds, torch = done.stdout.split()
    assert (faults, torch) == ("2", "False")
    assert float(seconds) < 2


def test_lists_of_numbers_take_what_yaml_and_papermill_make_of_them():
    told = Small(sizes=["1e-3", 2], lengths=["16", 32.0])
    assert told.sizes == [0.001, 2.0] and told.lengths == [16, 32]
    assert [type(n) for n in told.lengths] == [int, int]
    assert set(faults(lengths=[16, 0])) == set(faults(lengths=[1.5])) == {"lengths"}


class Conditional(Experiment):
    """Labels that only one of two losses has."""

    name = "conditional"
    loss: str = param("bce", "which", choices=("bce", "hinge"))
    label: float = param(0.9, "a label", low=0, high=1, moves=True, acts_when=lambda p: p.loss == "bce")
    lr: float = param(1e-2, "learning rate", low=0, high=1, moves=True)


def test_a_parameter_without_effect_is_marked_in_the_listing():
    assert Conditional().inactive() == set() and Conditional(loss="hinge").inactive() == {"label"}
    table = Conditional(loss="hinge").table()
    assert dict(zip(table.column("name"), table.column("moves"))) == {
        "loss": "", "label": "no effect in this run", "lr": "yes",
    }  # fmt: skip
    assert [number.name for number in Conditional(loss="hinge").dynamic()] == ["label", "lr"], "losses still read it"
