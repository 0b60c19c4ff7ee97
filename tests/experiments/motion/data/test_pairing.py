"""Speech goes with the motion of its own place, whatever the layout; what does not decide is said."""

from pathlib import PurePosixPath as P

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.experiments.motion.data.pairing import pairs

SPEAKERS = st.sets(st.sampled_from(["ada", "ben", "cleo", "dan"]), min_size=1)
STEMS = st.sets(st.sampled_from(["001", "002", "x"]), min_size=1)
LAYOUTS = {
    "beside each other": "{who}/{stem}",
    "kinds above": "{kind}/{who}/{stem}",
    "kinds below": "{who}/{kind}/{stem}",
    "below a corpus": "corpus/{who}/{kind}/{stem}",
    "kinds above parts": "{kind}/day1/{who}/{stem}",
    "kinds between": "day1/{kind}/{who}/{stem}",
}


def files(layout: str, takes, kind: str, suffix: str) -> list[P]:
    return [P(layout.format(kind=kind, who=who, stem=stem) + suffix) for who, stem in sorted(takes)]


def paired(motions, voices) -> dict[str, str | None]:
    return {str(pair.motion): pair.speech and str(pair.speech) for pair in pairs(motions, voices)}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(LAYOUTS)), SPEAKERS, STEMS, st.randoms())
def test_every_motion_gets_the_speech_of_its_own_speaker(name, speakers, stems, random) -> None:
    layout = LAYOUTS[name]
    takes = {(who, stem) for who in speakers for stem in stems}
    motions, voices = files(layout, takes, "motion", ".bvh"), files(layout, takes, "audio", ".wav")
    random.shuffle(voices)
    found = pairs(motions, voices)
    for pair in found:
        own = str(pair.motion).replace("motion/", "audio/", 1).replace(".bvh", ".wav")
        assert str(pair.speech) == own and not pair.note
    if len(speakers) > 1:
        assert {pair.speaker for pair in found} == speakers


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(LAYOUTS)), SPEAKERS, STEMS, st.data())
def test_no_motion_ever_gets_the_speech_of_another_that_has_its_own(name, speakers, stems, data) -> None:
    """Where speech is missing, nothing is taken from a place where another motion lies."""
    takes = sorted((who, stem) for who in speakers for stem in stems)
    there = data.draw(st.sets(st.sampled_from(takes)))
    motions, voices = files(LAYOUTS[name], takes, "motion", ".bvh"), files(LAYOUTS[name], there, "audio", ".wav")
    for pair, take in zip(pairs(motions, voices), takes):
        if pair.speech is not None:
            assert take in there
            assert str(pair.speech) == str(files(LAYOUTS[name], [take], "audio", ".wav")[0])


def test_a_name_that_two_files_alone_have_decides_and_is_noted() -> None:
    found = pairs([P("motion/ben/talk.bvh")], [P("audio/session/talk.wav"), P("audio/session/other.wav")])
    assert str(found[0].speech) == "audio/session/talk.wav" and "by its name alone" in found[0].note


@pytest.mark.parametrize(
    ("motions", "voices", "says"),
    [
        (["motion/ada/1.bvh", "motion/ben/1.bvh"], ["audio/x/1.wav"], "its name does not decide: audio/x/1.wav"),
        (["motion/ada/1.bvh"], ["audio/x/1.wav", "audio/y/1.wav"], "its name does not decide"),
        (["motion/ada/1.bvh"], ["audio/ada/1.wav", "noise/ada/1.wav"], "several files fit: audio/ada/1.wav, noise"),
        (["a/ada/1.bvh", "b/ada/1.bvh"], ["audio/ada/1.wav"], "several files fit: a/ada/1.bvh, b/ada/1.bvh"),
        (["a/1.bvh"], ["a/2.wav"], "no speech of its name; add 1.wav"),
        (["a/1.bvh"], [], "no speech of its name; add 1.wav"),
    ],
)
def test_what_does_not_decide_is_said(motions, voices, says) -> None:
    found = pairs([P(path) for path in motions], [P(path) for path in voices])
    assert all(pair.speech is None and says in pair.note for pair in found)


def test_one_recording_in_two_formats_is_one() -> None:
    assert paired([P("a/1.bvh")], [P("a/1.wav"), P("a/1.ogg")]) == {"a/1.bvh": "a/1.wav"}


@pytest.mark.parametrize(
    ("paths", "speakers"),
    [
        (["2/2_scott_0_1_1.bvh", "2/3_solomon_0_1_1.bvh"], ["scott", "solomon"]),
        (["train/ada_1.bvh", "train/ben_1.bvh"], ["ada", "ben"]),
        (["ben/take_001.bvh", "ada/take_001.bvh"], ["ben", "ada"]),
        (["motion/ben/001.bvh"], ["ben"]),
        (["talk.bvh"], ["talk"]),
    ],
)
def test_speakers_come_from_folders_and_known_patterns(paths, speakers) -> None:
    voices = [P(path.replace("motion/", "audio/")).with_suffix(".wav") for path in paths]
    assert [pair.speaker for pair in pairs([P(path) for path in paths], voices)] == speakers
