"""`interventions.yaml`: the commands a person gave during a run, written ahead, sealed line by line, ready to replay.

A command is on disk before it is applied, so a kill loses none, and resuming replays what came after the checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from gannb.config.yaml_files import YamlError, parse_yaml, read_text
from gannb.control.commands import Command
from gannb.runs.files import append, drop_torn_line, write_bytes

LAYOUT = 1


class AlteredLog(ValueError):
    """A log whose lines do not match their seals."""


class Interventions:
    """The write-ahead log of one run.

    Args:
        path: the run's `interventions.yaml`.
        header: what the run is (experiment, settings, data, weights at the start, environment), for a new log.

    Attributes:
        header: of the log, which a resumed run and a replay compare with their own.
        commands: all commands, in the order in which they were given.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        if path.exists():
            drop_torn_line(path)
            self.header, self.commands, self._last = _read(path)
        else:
            self.header, self.commands = header, []
            head = {"layout": LAYOUT, **header}
            lines = [f"{key}: {_text(value)}" for key, value in head.items()]
            text = "\n".join(["# What a person did to this run. Replay: gannb run NAME --replay THIS", *lines])
            self._last = _seal("", head)
            write_bytes(path, f"{text}\ncheck: {self._last}\ncommands:\n".encode())

    def write(self, command: Command) -> None:
        """Write a command; returns when it is on disk."""
        row = command.row()
        seal = _seal(self._last, row)
        append(self.path, f"- {_text({**row, 'check': seal})}\n", sync=True)
        self._last = seal
        self.commands.append(command)


def read(path: Path) -> tuple[dict[str, Any], list[Command]]:
    """The header and the commands of a log.

    Lines without a seal (written by hand) are accepted as they are.

    Raises:
        FileNotFoundError: there is no such file.
        AlteredLog: a sealed line was changed, or one is missing.
        ValueError: not a log of interventions, or of another layout.
    """
    return _read(path)[:2]


def _read(path: Path) -> tuple[dict[str, Any], list[Command], str]:
    """Header, commands, and the last seal."""
    if not path.is_file():
        raise FileNotFoundError(f"no log of interventions at {path}")
    text = read_text(path)
    if not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]  # cut short by a kill: never applied
    try:
        log = parse_yaml(text)
    except YamlError as error:
        raise ValueError(f"{path.name} is not readable as YAML: {error}") from error
    if not isinstance(log, dict) or "commands" not in log:
        raise ValueError(f"{path.name} is not a log of interventions: it has no `commands`")
    if log.get("layout", LAYOUT) != LAYOUT:
        raise ValueError(f"{path.name} has layout {log['layout']}; this version reads layout {LAYOUT}")
    rows, seal, commands = log.pop("commands") or [], log.pop("check", ""), []
    if seal and seal != _seal("", log):
        raise AlteredLog(f"{path.name}: the head was altered after it was written")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise ValueError(f"{path.name}: command {number} is not one: {row!r}")
        given = row.pop("check", None)
        if given is not None and given != _seal(seal, row):
            raise AlteredLog(
                f"{path.name}: command {number} ({row.get('do')} {row.get('name', '')} at step {row.get('step')}) "
                f"was altered after it was written, or one before it is missing"
            )
        seal = given or seal
        try:
            commands.append(Command(**row))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path.name}: command {number} is not one: {error}") from error
    log.pop("layout", None)
    return log, commands, seal


def _text(value: Any) -> str:
    """JSON that YAML reads equally: characters that it takes for line ends, or refuses, are escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _seal(before: str, row: dict[str, Any]) -> str:
    text = before + json.dumps(row, sort_keys=True, ensure_ascii=False)
    return "x" + hashlib.blake2b(text.encode(), digest_size=4).hexdigest()  # "x": YAML must not read it as a number
