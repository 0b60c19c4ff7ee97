"""Everything bad that `gannb` can be given, generated from the declarations: each must end in one line that names it.

    python -m tests.bad_parameters FOLDER

Prints one JSON object: per kind of fault how many cases there were and how many went wrong, and which. All run
in one process, which must not load torch. A case that is accepted would start a notebook, which is an error here.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gannb import cli
from gannb.batch import ranks
from gannb.config import presets
from gannb.config.fields import Declaration

SECONDS = 4.0
LONG = "x" * 100_000
BOMB = "[" + ", ".join(f"&a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]" for n in range(9)) + "]"

WORDS = {
    int: ["abc", "", "1²", "½", "1.5", "nan", "inf", "1e400", "[1]", "0x1F", "9" * 30, "9" * 6000, LONG],
    float: ["abc", "", "1²", "nan", "inf", "-inf", "1e400", "0x1F", "[1.0]", "1,5", "9" * 6000, LONG],
    bool: ["perhaps", "2", "", "[true]", "{", "[1,", "!!python/none", "a: b: c", LONG, BOMB],
}
LISTS = ["[", "[1,", "word", "3", "{a: 1}", "[[1]]", "[~]", "*a", "[" * 100_000, BOMB, "!!set {a}", "[perhaps]"]
MAPPINGS = ["[1]", "{", "word", "{a: ", "{1: 2}", "{no_such_option: 1}", BOMB]
TEXTS = ["nonsense", "a\0b", LONG]
NAMES = [
    "self",
    "cls",
    "__class__",
    "name",
    "model_config",
    "model_fields",
    "filled",
    "sede",
    "",
    " ",
    "a b",
    "é",
    LONG,
]


@dataclass(frozen=True)
class Case:
    """One bad call, and what the message has to name."""

    kind: str
    argv: list[str]
    names: str


def numbers_outside(declared: Declaration) -> Iterator[str]:
    """Numbers beyond the bounds of a field."""
    if declared.low > float("-inf"):
        yield repr(declared.low if declared.open_low else declared.low - 1)
    if declared.high < float("inf"):
        yield repr(declared.high + 1)


def values(kind: object, declared: Declaration) -> Iterator[tuple[str, str]]:
    """Bad values of one field, each with its kind of fault."""
    if kind in (int, float):
        yield from (("outside", text) for text in numbers_outside(declared))
    if kind in WORDS:
        yield from (("not of the type", text) for text in WORDS[kind])  # type: ignore[index]
    elif kind is str and declared.choices:
        yield from (("choice", text) for text in [*TEXTS, "", declared.choices[0] + "x"])
    elif kind is str and declared.source:
        known = declared.source.words
        yield from (
            ("missing", text) for text in [*TEXTS, "/nope", "empty", "empty/", "text.txt", *(w + "x" for w in known)]
        )
    elif kind is str:
        yield "text", "a\0b"
    elif kind == dict[str, object] or str(kind).startswith("dict"):
        yield from (("mapping", text) for text in MAPPINGS)
    else:
        yield from (("list", text) for text in LISTS)


def cases(folder: Path) -> Iterator[Case]:
    """All of them."""
    for experiment in presets.experiments():
        declaration = presets.declaration(experiment)
        for name, declared in declaration.declarations().items():
            for kind, value in values(declaration.model_fields[name].annotation, declared):
                yield Case(kind, ["run", experiment, "-p", f"{name}={value}"], name)
        for name in NAMES:
            yield Case("no such name", ["run", experiment, "-p", f"{name}=1"], name[:20].strip() or "-p")
        for device in ("gpu", "cuda:", "cuda:7000", "cuda:-1", "cuda:٣", "CPU"):
            yield Case("device", ["run", experiment, "-p", f"device={device}"], "device")
        for flag in ("resume", "branch", "replay", "preset", "runs"):
            for value in ("", LONG, "a\0b", *(("nope", "text.txt") if flag != "runs" else ("text.txt", "/proc/nope"))):
                yield Case(flag, ["run", experiment, f"--{flag}", value], flag)
        for value in ("0", "-1", "two", "1.5", "9" * 6000):
            yield Case("ranks", ["run", experiment, "--ranks", value], "--ranks")
    yield from other_commands()
    yield from broken_files(folder)


def other_commands() -> Iterator[Case]:
    """Bad words of the other commands."""
    for argv, name in (
        ([], "COMMAND"), (["nonsense"], "nonsense"), ([LONG], "COMMAND"), (["run"], "NAME"),
        (["run", "toor"], "'tour'"), (["run", LONG], "no experiment"), (["run", "../tour"], "../tour"),
        (["run", "tour", "--no"], "--no"), (["run", "tour", "-p"], "-p"), (["run", "tour", "-p", "seed"], "seed"),
        (["params", "nope"], "nope"), (["params", "tour", "--preset", "nope"], "nope"), (["report", "nope"], "nope"),
        (["report", LONG], "xxx"), (["export"], "RUN"), (["export", "--tensorboard", "nope"], "nope"),
        (["diagnose"], "FEATURES"), (["diagnose", "nope.npz"], "nope.npz"), (["diagnose", "empty"], "empty"),
        (["diagnose", LONG], "FEATURES"), (["diagnose", "text.txt"], "text.txt"),
        (["score", "nope", "empty"], "REAL"), (["score", "full", "empty"], "FAKE"),
        (["score", "full", "full", "--train", "nope"], "--train"), (["score", "full", "text.txt"], "FAKE"),
        (["score", "full", "full", "--features", "x"], "--features"), (["score", "full", LONG], "FAKE"),
        (["score", "full", "full", "--features", "net=nope"], "--features"), (["score", "full"], "FAKE"),
        (["score", "full", "full", "--resize", "1"], "--resize"),
        (["score", "full", "full", "--resize", "x"], "--resize"),
        (["score", "full", "full", "--json", "empty"], "--json"),
        (["score", "full", "full", "--json", "/proc/no/x"], "--json"),
        (["score", "full", "full", "--channels", "red"], "--channels"), (["sweep", "nope"], "nope"),
        (["sweep"], "SWEEP"), (["sweep", LONG], "SWEEP"), (["sweep", "tour_noise", "--workers", "x"], "--workers"),
        (["sweep", "tour_noise", "--gpu", "maybe"], "--gpu"), (["sweep", "tour_noise", "--per-gpu", "0"], "--per-gpu"),
        (["sweep", "tour_noise", "--runs", "/proc/no"], "--runs"),
    ):  # fmt: skip
        yield Case("other commands", argv, name)


BROKEN = {
    "tab": b"seed:\n\t- 1\n", "open": b"seed: [1,\n", "colons": b"a: b: c\n", "list": b"- 1\n", "number": b"1: 2\n",
    "twice": b"seed: 1\nseed: 2\n", "utf-16": "seed: 1\n".encode("utf-16"), "latin": b"data: \xe9\n",
    "binary": bytes(range(256)),
    "nul": b"seed: \0\n", "bomb": f"x: {BOMB}\n".encode(), "self": b"x: &a [*a]\n", "deep": b"x: " + b"[" * 100_000,
    "tag": b"seed: !!python/object/apply:os.getcwd []\n", "two": b"seed: 1\n---\nseed: 2\n", "huge": b"#" * 2_000_000,
    "wrong": b"seed: -1\n", "unknown": b"sede: 1\n", "alias": b"seed: *x\n", "long": b"toy: " + b"x" * 100_000 + b"\n",
}  # fmt: skip


def broken_files(folder: Path) -> Iterator[Case]:
    """Presets, sweeps, run folders and logs that are broken in every way."""
    for name, content in BROKEN.items():
        for place in (folder / "params/tour", folder / "sweeps", folder / f"runs/tour/{name}", folder / "logs"):
            place.mkdir(parents=True, exist_ok=True)
        (folder / f"params/tour/{name}.yaml").write_bytes(content)
        (folder / f"sweeps/{name}.yaml").write_bytes(content)
        (folder / f"runs/tour/{name}/params.yaml").write_bytes(content)
        (folder / f"logs/{name}.yaml").write_bytes(content + b"\n")
        parameters = name in ("wrong", "unknown", "long")
        yield Case("preset", ["run", "tour", "--preset", name], "tour: " if parameters else f"{name}.yaml")
        yield Case("sweep", ["sweep", str(folder / f"sweeps/{name}.yaml"), "--check"], f"{name}.yaml")
        yield Case("run folder", ["run", "tour", "--resume", name], "tour: " if parameters else "params.yaml")
        yield Case("log", ["run", "tour", "--replay", str(folder / f"logs/{name}.yaml")], f"{name}.yaml")


def verdict(case: Case) -> tuple[str, float]:
    """What was wrong with how a case ended (empty: nothing), and the seconds it took."""
    out, err, began = io.StringIO(), io.StringIO(), time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: object = cli.main(case.argv)
        except SystemExit as ended:
            code = ended.code
    seconds, said = time.process_time() - began, err.getvalue()
    lines = said.strip().split("\n")
    faults = {
        f"exit code {code}": code != 2,
        "something on stdout": bool(out.getvalue()),
        f"{len(lines)} lines": len(lines) != 1 and "bad parameters" not in lines[0] and "not a sweep" not in lines[0],
        f"{len(said)} characters": len(said) > 1200,
        f"does not name {case.names!r}": case.names not in said,
        f"{seconds:.1f} s": seconds > SECONDS,
    }
    wrong = [text for text, holds in faults.items() if holds]
    return f"{', '.join(wrong)}: {said[:200]}" if wrong else "", seconds


def refuse(*args: object, **options: object) -> None:
    raise AssertionError("a bad parameter was accepted: the notebook would have started")


def main(folder: Path) -> None:
    """Run all cases in a folder and print the result."""
    (folder / "empty").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "a.png").touch()
    (folder / "text.txt").write_text("no image")
    for name in ("notebooks", "params/sweeps"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(presets.HOME / name)
    for name in presets.experiments():
        (folder / "params" / name).mkdir()
        for path in (presets.HOME / "params" / name).glob("*.yaml"):
            (folder / "params" / name / path.name).symlink_to(path)
    os.chdir(folder)
    os.environ["GANNB_RUNS"] = str(folder / "runs")
    presets.HOME, ranks.execute = folder, refuse  # type: ignore[assignment]
    counts: dict[str, list[int]] = {}
    wrong, slowest = [], 0.0
    for case in cases(folder):
        fault, seconds = verdict(case)
        count = counts.setdefault(case.kind, [0, 0])
        count[0], count[1] = count[0] + 1, count[1] + bool(fault)
        slowest = max(slowest, seconds)
        if fault:
            wrong.append(f"{' '.join(case.argv)[:80]!r}: {fault}")
    accepted, _ = verdict(Case("none", ["run", "tour", "-p", "seed=1"], "seed"))
    found = {"cases": counts, "wrong": wrong, "slowest_seconds": round(slowest, 2), "torch": "torch" in sys.modules}
    print(json.dumps(found | {"a good one": accepted}))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
