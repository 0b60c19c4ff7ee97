"""Which speech goes with which motion file of a folder, and who speaks: by folders first, then by names.

Motion and speech lie beside each other, or in folders of their own (`motion/ben/001.bvh`, `audio/ben/001.wav`; or
`ben/bvh/001.bvh`, `ben/wav/001.wav`). A folder that holds files of one kind only is such a folder; without it, both
files of a pair have the same relative path.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

Place = tuple[tuple[str, ...], str]
"""The folders of a file, without the one that holds files of its kind only, and its stem."""

PATTERNS = (r"\d+_([A-Za-z]+)_\d", r"([A-Za-z]+)_\d+$")
"""File names that name their speaker: BEAT's `2_scott_0_1_1`, and `scott_1`."""


@dataclass(frozen=True)
class Pair:
    """A motion file with its speech, or the reason why there is none.

    Attributes:
        motion: its path within the folder.
        speech: that of its speech; None where there is none.
        speaker: who speaks.
        note: how it was paired where that is not plain, or why it was not.
    """

    motion: PurePath
    speech: PurePath | None
    speaker: str
    note: str = ""


def pairs(motions: Sequence[PurePath], voices: Sequence[PurePath]) -> list[Pair]:
    """Pair motion files with sound files: by relative path, otherwise by a name that only two files have.

    Args:
        motions: paths within the folder.
        voices: likewise; of one recording in several formats, the first one is taken.
    """
    own = {path: _place(path, voices) for path in motions}
    places: dict[Place, list[PurePath]] = {}
    for voice in voices:
        alike = places.setdefault(_place(voice, motions), [])
        if voice.parent not in [other.parent for other in alike]:
            alike.append(voice)
    folders = {place: {path.parent for path in motions if own[path] == place} for place in own.values()}
    left = {place: found for place, found in places.items() if place not in folders}
    lonely = Counter(stem for _, stem in {place for place in own.values() if place not in places})
    speakers = _speakers(own)

    def pair(path: PurePath) -> Pair:
        place, speaker = own[path], speakers[path]
        found = places.get(place, [])
        if len(found) == 1 and len(folders[place]) == 1:
            return Pair(path, found[0], speaker)
        if found:
            candidates = found if len(found) > 1 else [folder / path.name for folder in folders[place]]
            return Pair(path, None, speaker, f"several files fit: {_listed(candidates)}; keep one, or rename them")
        named = [voice for (_, stem), found in left.items() if stem == place[1] for voice in found]
        if len(named) == 1 and lonely[place[1]] == 1:
            return Pair(path, named[0], speaker, f"paired by its name alone with {named[0].as_posix()}")
        if named:
            return Pair(path, None, speaker, f"no speech at its place, and its name does not decide: {_listed(named)}")
        return Pair(path, None, speaker, f"no speech of its name; add {path.stem}.wav")

    return [pair(path) for path in motions]


def _place(path: PurePath, others: Sequence[PurePath]) -> Place:
    """The place of a file; `others` are the files of the other kind."""
    folders = list(path.parts[:-1])
    for depth in range(1, len(folders) + 1):
        if not any(other.parts[:depth] == path.parts[:depth] for other in others):
            del folders[depth - 1]
            break
    return tuple(folders), path.stem


def _speakers(places: dict[PurePath, Place]) -> dict[PurePath, str]:
    """Who speaks: BEAT's pattern, a folder that tells files apart, a name's pattern, the folder, or the file's name."""
    folders = [place[0] for place in places.values()]
    common = next((i for i, parts in enumerate(zip(*folders)) if len({*parts}) > 1), min(map(len, folders), default=0))

    def speaker(path: PurePath) -> str:
        inside = places[path][0]
        beat, named = (re.match(pattern, path.stem) for pattern in PATTERNS)
        if beat:
            return beat[1].lower()
        if inside[common:]:
            return inside[-1].lower()
        return named[1].lower() if named else (inside[-1] if inside else path.stem).lower()

    return {path: speaker(path) for path in places}


def _listed(paths: Sequence[PurePath]) -> str:
    return ", ".join(sorted(path.as_posix() for path in paths)[:4])
