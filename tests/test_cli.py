"""The command line: bad input ends early with exit code 2, a run ends with its folder, codes tell what happened."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import gannb.experiments
from gannb import cli
from gannb.batch import run_command
from gannb.batch.papermill import Outcome
from gannb.config import presets

DECLARATION = """
from gannb.config.experiment import Experiment
from gannb.config.fields import param

class Toy(Experiment):
    name = "toy"
    seed: int = param(0, "the seed", low=0)
    lr: float = param(1e-3, "rate", low=0.0, high=1.0)
    data: str = param("rendered", "images")
    flips: bool = param(False, "mirror images")
    widths: list[float] = param([1.0], "widths")
    epochs: int = param(2, "passes", low=1, grows=True)
"""
PARAMETERS = (
    "seed: int = 0  # the seed\nlr: float = 1e-3  # rate\ndata: str = 'rendered'  # images\nepochs: int = 2  # passes"
)
WHOLE = """
import json
(run.folder / "claims.json").write_text("[]")
took = {"seconds": 1.0, "steps_per_second": 0.0, "peak_memory_bytes": 1}
run.summarise(epochs=epochs, steps=0, weights_sha256="", metrics={}, **took)
print(json.dumps({"data": data, "lr": lr, "resumed": run.resumed, "flips": p.flips, "widths": p.widths}))
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one experiment; returns where its runs go."""
    home = tmp_path / "home"
    opening = f"{DECLARATION}\nfrom gannb.runs.folder import Run\np = Toy.of(globals()); run = Run.open(p)"
    stop = "if data == 'broken':\n    raise RuntimeError('no image could be read')"
    cells = [new_markdown_cell("# A toy\n\nWhy"), new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    cells += map(new_code_cell, (opening, stop, WHOLE))
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "language_info": {"name": "python"}}
    (home / "notebooks").mkdir(parents=True)
    nbformat.write(new_notebook(cells=cells, metadata=metadata), home / "notebooks" / "01_toy.ipynb")
    (home / "params" / "toy").mkdir(parents=True)
    (home / "params" / "toy" / "quick.yaml").write_text("preset: quick\n")
    (home / "params" / "toy" / "slow.yaml").write_text("preset: slow\nlr: 1e-5\nepochs: 50\n")
    (home / "experiments" / "toy").mkdir(parents=True)
    (home / "experiments" / "toy" / "params.py").write_text(DECLARATION)
    monkeypatch.setattr(gannb.experiments, "__path__", [str(home / "experiments"), *gannb.experiments.__path__])
    for name in ("gannb.experiments.toy", "gannb.experiments.toy.params"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(presets, "HOME", home)
    monkeypatch.setenv("GANNB_RUNS", str(home / "runs"))
    return home / "runs"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def refused(capsys: pytest.CaptureFixture, *argv: str) -> str:
    """What the command line says when it refuses; nothing on stdout, and code 2."""
    assert cli.main(argv) == cli.BAD_PARAMETERS
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


# ----------------------------------------------------------------------------------------------------- bad input


def test_every_fault_is_named_at_once(toy: Path, capsys: pytest.CaptureFixture) -> None:
    said = refused(capsys, "run", "toy", "-p", "lr=7", "-p", "sead=1", "-p", "epochs=many", "-p", "flips=perhaps")
    assert "4 bad parameters" in said
    assert "lr: given 7.0" in said and "did you mean 'seed'?" in said and "epochs: given 'many'" in said
    assert "flips: given 'perhaps'; allowed: true or false" in said
    assert not toy.exists(), "nothing was started"


@pytest.mark.parametrize(
    "argv, expected",
    [
        (["run", "toi"], "did you mean 'toy'?"),
        (["run", "toy", "--preset", "slwo"], "did you mean 'slow'?"),
        (["run", "toy", "-p", "lr"], "write it as name=value"),
        (["run", "toy", "--ranks", "0"], "--ranks: given 0"),
        (["run", "toy", "--resume", "gone"], "no run folder 'gone'"),
        (["run", "toy", "--replay", "gone.yaml"], "replay: no log of interventions at"),
        (["params", "toi"], "did you mean 'toy'?"),
        (["report"], "make one with `gannb run NAME`"),
        (["export", "--tensorboard", "gone"], "no run folder 'gone'"),
    ],
)
def test_what_cannot_be_done_is_refused(
    toy: Path, capsys: pytest.CaptureFixture, argv: list[str], expected: str
) -> None:
    assert expected in refused(capsys, *argv)


def test_an_unforeseen_fault_is_one_line_and_a_file(
    toy: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[str]:
        raise KeyError("nobody thought of this\nat all" * 100)

    monkeypatch.setattr(presets, "experiments", fail)
    assert cli.main(["list"]) == cli.FAILED
    said = capsys.readouterr().err
    assert said.startswith("gannb: KeyError: 'nobody thought of this") and said.count("\n") == 1 and len(said) < 400
    file = Path(said.rpartition(" is in ")[2].strip())
    assert "in fail" in file.read_text()
    file.unlink()


def test_long_messages_are_cut(toy: Path, capsys: pytest.CaptureFixture) -> None:
    many = [text for n in range(100) for text in ("-p", f"no_such_{n}=1")]
    said = refused(capsys, "run", "toy", *many, "-p", f"lr={'x' * 100_000}")
    assert said.count("\n") == cli.MOST_LINES + 1 and "… and 62 more" in said and len(said) < 20_000


def test_refusing_takes_less_than_two_seconds() -> None:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "gannb.cli", "run", "no-such-thing"], capture_output=True, text=True)
    assert done.returncode == 2 and "no experiment is called" in done.stderr
    assert time.perf_counter() - began < 2


# ------------------------------------------------------------------------------------------------------- showing


def test_list_and_params(toy: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["list"]) == 0
    assert "toy   quick, slow  A toy" in capsys.readouterr().out
    assert cli.main(["list", "--names"]) == 0
    assert capsys.readouterr().out == "toy\n"
    assert cli.main(["params", "toy", "--preset", "slow"]) == 0
    shown = capsys.readouterr().out
    assert "1e-05" in shown and "50" in shown and "the seed" in shown


@pytest.mark.parametrize("name", cli.ELSEWHERE)
def test_commands_that_live_elsewhere_are_mounted(name: str, capsys: pytest.CaptureFixture) -> None:
    parser = cli._parser([name])
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([name, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0 and f"usage: gannb {name}" in shown
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert cli.ELSEWHERE[name][1] in " ".join(capsys.readouterr().out.split())


def test_a_mounted_command_refuses_with_two(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["score", str(tmp_path / "gone"), str(tmp_path)]) == cli.BAD_PARAMETERS
    assert "gone" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------- running


def said_by(folder: Path) -> dict:
    cells = nbformat.read(folder / "notebook.ipynb", as_version=4).cells
    return json.loads(cells[-1].outputs[-1].text)


def last_line(capsys: pytest.CaptureFixture) -> Path:
    line = capsys.readouterr().out.strip().splitlines()[-1]
    assert line.startswith("run: ")
    return Path(line.removeprefix("run: "))


def test_a_run_with_a_preset_and_values_and_going_on_with_it(toy: Path, capsys: pytest.CaptureFixture) -> None:
    argv = ["run", "toy", "--preset", "slow", "-p", "data=00123", "-p", "flips=yes", "-p", "widths=[1, 2e-3]"]
    assert cli.main(argv) == cli.DONE
    folder = last_line(capsys)
    assert folder.parent == toy / "toy"
    expected = {"data": "00123", "lr": 1e-05, "resumed": False, "flips": True}
    assert expected.items() <= said_by(folder).items()
    settings = yaml.safe_load((folder / "params.yaml").read_text())
    assert settings["lr"] == 1e-05 and settings["epochs"] == 50
    assert json.loads((folder / "summary.json").read_text())["preset"] == "slow"

    assert cli.main(["run", "toy", "--resume", "last", "-p", "epochs=60"]) == cli.DONE
    assert last_line(capsys) == folder
    assert said_by(folder)["resumed"] is True and said_by(folder)["data"] == "00123"

    said = refused(capsys, "run", "toy", "--resume", folder.name, "-p", "lr=0.5")
    assert "lr: 1e-05 in the run, 0.5 given" in said


def test_a_failing_notebook_says_error_and_cell_and_still_its_folder(toy: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["run", "toy", "-p", "data=broken"]) == cli.FAILED
    said = capsys.readouterr()
    assert "toy failed in code cell 4: RuntimeError: no image could be read" in said.err
    assert said.out.strip().splitlines()[-1].startswith("run: ")


def test_a_run_that_leaves_less_than_it_should_has_failed(tmp_path: Path) -> None:
    complaint, code = run_command.verdict(Outcome(tmp_path / "notebook.ipynb", tmp_path), "toy")
    assert code == cli.FAILED
    assert complaint.startswith("the run folder does not hold what it should:\n  params.yaml is missing")
    complaint, code = run_command.verdict(Outcome(tmp_path / "notebook.ipynb", None), "toy")
    assert code == cli.FAILED and "opened no run folder" in complaint


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path) -> None:
    outcome = Outcome(tmp_path / "notebook.ipynb", tmp_path / "20260101-a", interrupted=True)
    said = f"interrupted; go on with `gannb run toy --resume {outcome.folder}`"
    assert run_command.verdict(outcome, "toy") == (said, cli.INTERRUPTED)


def test_bytes_that_are_no_text_are_named(toy: Path, capsys: pytest.CaptureFixture) -> None:
    odd = str(toy.parent / os.fsdecode(b"odd\xff"))
    assert "runs: given" in (said := refused(capsys, "run", "toy", "--runs", odd)) and "no UTF-8" in said
    assert "data: given" in refused(capsys, "run", "toy", "-p", f"data={odd}")


@pytest.mark.parametrize(
    "settings", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}]
)
def test_terminals_of_few_letters_are_no_error(settings: dict[str, str]) -> None:
    command = [sys.executable, "-m", "gannb.cli", "params", "particles_sagan"]
    shown = subprocess.run(command, env=os.environ | settings, capture_output=True, timeout=60)
    assert shown.returncode == 0 and b"epochs" in shown.stdout, shown.stderr
