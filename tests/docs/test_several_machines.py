"""`docs/several_machines.md`: every command is one that its tool takes, and containers see one folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from gannb import cli
from tests.docs.pages import blocks, joined

TOOLS = ("gannb", "torchrun", "dask", "papermill")


def checked(words: list[str]) -> list[str]:
    """The tools of a command, and of a command within it, each of which has taken its arguments."""
    while "=" in words[0] or words[0] == "srun":  # variables of one command
        words = words[1:]
    tool, argv = words[0], words[1:]
    if tool == "gannb":
        cli._parser(argv).parse_args(argv)
    elif tool == "torchrun":
        from torch.distributed.run import get_args_parser

        args = get_args_parser().parse_args(argv)
        assert args.no_python and args.training_script == "sh" and args.training_script_args[0] == "-c"
        return [tool, *checked(shlex.split(args.training_script_args[1]))]
    elif tool == "dask":
        from distributed.cli import dask_scheduler, dask_worker

        {"scheduler": dask_scheduler, "worker": dask_worker}[argv[0]].main.make_context(argv[0], argv[1:])
    elif tool == "papermill":
        from papermill.cli import papermill

        papermill.make_context(tool, argv)
    return [tool]


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "several_machines.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def containers(page: str) -> list[dict]:
    """The containers of the manifest."""
    (manifest,) = (block.code for block in blocks(page) if block.language == "yaml")
    parts = list(yaml.safe_load_all(manifest))
    assert [part["kind"] for part in parts] == ["Service", "Deployment", "Deployment", "Job"]
    pods = [part["spec"]["template"]["spec"] for part in parts if "template" in part["spec"]]
    for pod in pods:
        named = {volume["name"] for volume in pod.get("volumes", [])}
        assert {mount["name"] for c in pod["containers"] for mount in c.get("volumeMounts", [])} == named
    return [container for pod in pods for container in pod["containers"]]


def test_every_command_is_one_that_its_tool_takes(page: str, containers: list[dict]) -> None:
    lines = [line for block in blocks(page) if block.language == "sh" for line in joined(block.code).splitlines()]
    lines = [line for line in lines if not re.match(r"#|HOST=|pip ", line)]
    found = [tool for line in lines for tool in checked(shlex.split(line))]
    found += [tool for container in containers for tool in checked(container["command"])]
    assert set(found) == set(TOOLS)
    assert [found.count(tool) for tool in TOOLS] == [4, 3, 6, 3]


def test_files_and_presets_of_the_page_are_there(page: str, root: Path) -> None:
    named = set(re.findall(r"\b(?:notebooks|params|docker)/[\w./]+\w", page))
    assert len(named) >= 4 and [name for name in sorted(named) if not (root / name).is_file()] == []


def test_containers_meet_at_one_address_and_see_one_folder(containers: list[dict], root: Path) -> None:
    scheduler, worker, sweep = containers
    assert worker["command"][2] == sweep["command"][-1] == f"tcp://scheduler:{scheduler['command'][-1]}"
    assert worker["volumeMounts"] == sweep["volumeMounts"]
    workdir = re.findall(r"^WORKDIR (\S+)", (root / "docker" / "Dockerfile").read_text(), re.MULTILINE)[-1]
    assert worker["volumeMounts"][0]["mountPath"] == workdir, "where the image looks for notebooks and runs"


@pytest.mark.parametrize(
    "wrong",
    [
        "gannb sweep my.yaml --scheduller tcp://HOST:8786",
        "torchrun --nodes=2 --no-python sh -c true",
        "dask worker tcp://HOST:8786 --threads 1",
        "torchrun --no-python sh -c 'papermill a.ipynb b.ipynb --preset tuned'",
    ],
)
def test_a_planted_option_is_found(wrong: str) -> None:
    with pytest.raises((SystemExit, click.UsageError)):
        checked(shlex.split(wrong))
