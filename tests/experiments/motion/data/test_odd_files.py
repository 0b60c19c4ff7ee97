"""Whatever a file holds, it is read right or named with the reason, and the folder goes on."""

import io
import json
import re
import wave

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gannb.experiments.motion.data import beat2, bvh, recordings, retarget, speech
from gannb.experiments.motion.data.clips import MotionDataError, Recording
from gannb.experiments.motion.data.recordings import Fault
from gannb.experiments.motion.data.speech import SAMPLE_RATE
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.experiments.motion.skeleton import BONE_LENGTHS

MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def take() -> Recording:
    return record(STYLES[0], 2.0)


@pytest.fixture(scope="module")
def text(take, tmp_path_factory) -> str:
    return bvh.write(tmp_path_factory.mktemp("bvh") / "a.bvh", take.pose).read_text()


@pytest.fixture
def folder(tmp_path, take):
    """A folder with one good pair, and the speech of a second one."""
    recordings.export(tmp_path / "good.bvh", take.pose)
    for name in ("good", "odd"):
        soundfile.write(tmp_path / f"{name}.wav", take.speech.samples, SAMPLE_RATE)
    return tmp_path


def outcome(folder) -> Recording | Fault:
    """What becomes of the odd pair; the good one is always there."""
    found = {o.name.removesuffix(".bvh").removesuffix(".npz"): o for o in recordings.read_folder(folder)}
    assert isinstance(found["good"], Recording)
    return found["odd"]


def sound(o: Recording | Fault) -> None:
    """A recording holds finite motion in metres; a fault says something."""
    if isinstance(o, Fault):
        assert o.reason.strip()
    else:
        assert np.isfinite(o.pose).all() and np.isfinite(o.lengths).all() and o.frames >= 2
        assert 0.15 < o.lengths[1] < 0.5


# ---- units and rates -----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(retarget.UNITS)), st.floats(0.6, 1.4))
def test_a_unit_is_found_from_the_upper_arm_whatever_the_size_of_the_body(unit, size) -> None:
    upper = np.full(5, float(BONE_LENGTHS[1]) * size / retarget.UNITS[unit])
    assert retarget.unit_of(upper, "a")[1] == unit


@given(st.floats(1e-6, 1e6))
def test_one_unit_at_most_fits(length) -> None:
    low, high = retarget.UPPER_ARM
    assert sum(low <= length * metres <= high for metres in retarget.UNITS.values()) <= 1


@pytest.mark.parametrize("unit", sorted(retarget.UNITS))
def test_files_in_any_unit_are_the_same_motion(tmp_path, take, text, unit) -> None:
    scale = 0.01 / retarget.UNITS[unit]
    lines = text.split("\n")
    start = lines.index("MOTION") + 3
    for i, line in enumerate(lines[:start]):
        if "OFFSET" in line:
            head, *numbers = line.rsplit(None, 3)
            lines[i] = " ".join([head, *(f"{scale * float(n):.9f}" for n in numbers)])
    (tmp_path / "a.bvh").write_text("\n".join(lines))
    pose, lengths, notes = bvh.read(tmp_path / "a.bvh")
    assert f"unit {unit}" in notes
    np.testing.assert_allclose(pose, take.pose, atol=1e-5)
    np.testing.assert_allclose(lengths, take.lengths, atol=1e-5)


def test_a_body_of_no_known_unit_is_refused_with_its_sizes(tmp_path, text) -> None:
    huge = re.sub(r"OFFSET (\S+) (\S+) (\S+)", lambda m: f"OFFSET {3e3 * float(m[2])} 0 0", text)
    (tmp_path / "a.bvh").write_text(huge)
    with pytest.raises(MotionDataError, match=r"the upper arm is .* m if centimetres.*scale the file"):
        bvh.read(tmp_path / "a.bvh")


RATES = ["1e-6", "0", "-30", "inf", "-inf", "nan", "1e9", "1e-300", "5e-324", "1e308", "thirty", ""]


@pytest.mark.parametrize("rate", RATES)
def test_a_frame_time_that_is_none_is_named_before_it_sizes_anything(folder, text, rate) -> None:
    (folder / "odd.bvh").write_text(re.sub(r"Frame Time: .*", f"Frame Time: {rate}", text))
    assert re.search(r"frames per second|Frame Time|row of numbers", outcome(folder).reason)


@pytest.mark.parametrize("rate", [1e-6, 0.0, -30.0, np.inf, np.nan, 1e9, 5e-324])
@pytest.mark.parametrize("kind", ["poses", "positions"])
def test_a_rate_that_is_none_is_named_in_arrays_too(folder, take, rate, kind) -> None:
    arrays = {"poses": np.zeros((40, 165)), "mocap_frame_rate": rate}
    arrays = arrays if kind == "poses" else {"positions": take.pose, "fps": rate}
    np.savez(folder / "odd.npz", **arrays)
    assert re.search(r"frames per second|NaN or infin", outcome(folder).reason)


@pytest.mark.parametrize("rate", [np.array([30.0]), np.array([[30]]), 30])
def test_one_number_in_an_array_is_a_rate_and_several_are_not(rate) -> None:
    assert beat2.from_arrays({"poses": np.zeros((40, 165)), "mocap_frame_rate": rate}, "a")[0].shape[0] == 20
    with pytest.raises(MotionDataError, match="2 values as frames per second"):
        beat2.from_arrays({"poses": np.zeros((40, 165)), "mocap_frame_rate": np.array([30, 30])}, "a")


@pytest.mark.parametrize("rate", [0, 1, 50, 10**6])
def test_sample_rates_that_would_size_the_resampled_speech_are_named(rate) -> None:
    with pytest.raises(speech.SpeechError, match="samples per second"):
        speech.from_samples(np.ones(10), rate)


@pytest.mark.parametrize("value", [1e40, 1e154, 1e300, 1.7e308])
def test_values_that_overflow_after_conversion_are_named(folder, take, text, value) -> None:
    pose = take.pose.astype(np.float64)
    pose[3, 20] = value
    np.savez(folder / "odd.npz", positions=pose, fps=15.0)
    assert "from the neck in 1 of 30 frames (3)" in outcome(folder).reason
    (folder / "odd.npz").unlink()
    lines = text.split("\n")
    (folder / "odd.bvh").write_text("\n".join([*lines[:-2], f"{value} " + lines[-2].split(None, 1)[1], ""]))
    assert "m from the origin in 1 of 30 frames (29)" in outcome(folder).reason


# ---- one bad file never ends a folder ------------------------------------------------------------------------


WORDS = ["", "{", "}", "nan", "inf", "1e308", "-1", "²", "٣", "0", "JOINT", "ROOT", "End Site", "MOTION", "Frames: 0"]
WORDS += ["CHANNELS 3 Zrotation Zrotation Yrotation", "\x00"]


@MANY
@given(st.data())
def test_a_damaged_bvh_is_read_or_named(folder, text, data) -> None:
    words = re.split(r"(\s+)", text)
    for place in data.draw(st.lists(st.integers(0, len(words) - 1), min_size=1, max_size=4)):
        words[place] = data.draw(st.sampled_from(WORDS))
    (folder / "odd.bvh").write_text("".join(words), encoding="utf-8")
    sound(outcome(folder))


SHAPES = {"poses": [(0, 165), (1, 165), (2, 165), (40, 165), (40, 55, 3), (40, 164), (165,), ()]}
SHAPES |= {"positions": [(0, 52, 3), (3, 52, 3), (3, 51, 3), (3,), ()]}
RATE_ARRAYS = {"mocap_frame_rate": [30, [30], [30, 60], "30", [], np.nan, 1e-6, 0, True, 3 + 4j]}
RATE_ARRAYS |= {"fps": [15, [15], "fifteen", [], -1, 1e12]}
ARRAYS = {name: st.sampled_from(shapes).map(np.ones) for name, shapes in SHAPES.items()}
ARRAYS |= {name: st.sampled_from(rates).map(np.array) for name, rates in RATE_ARRAYS.items()}
NPZ = st.fixed_dictionaries({}, optional=ARRAYS)


@MANY
@given(NPZ, st.sampled_from(["f8", "f4", "i8", "c16", "U3", "?", "u1"]))
def test_odd_arrays_are_read_or_named(folder, arrays, kind) -> None:
    np.savez(folder / "odd.npz", **{name: a.astype(kind) if a.ndim > 1 else a for name, a in arrays.items()})
    sound(outcome(folder))


@MANY
@given(st.data())
def test_damaged_bytes_are_read_or_named(folder, take, data) -> None:
    """An npz, and the sound beside a good BVH, with bytes changed, cut off or added."""
    kind = data.draw(st.sampled_from(["npz", "wav", "flac", "ogg"]))
    content = io.BytesIO()
    if kind == "npz":
        np.savez_compressed(content, positions=take.pose, fps=15.0)
    else:
        soundfile.write(content, take.speech.samples[:12_000], SAMPLE_RATE, format=kind)
        recordings.export(folder / "odd.bvh", take.pose)
    damaged = bytearray(content.getvalue())
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=8)):
        damaged[place] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged
    for path in folder.glob("odd.*"):
        if path.suffix != ".bvh" or kind == "npz":
            path.unlink()
    (folder / f"odd.{kind}").write_bytes(bytes(damaged))
    if kind == "npz":
        soundfile.write(folder / "odd.wav", take.speech.samples, SAMPLE_RATE)
    found = outcome(folder)
    assert isinstance(found, Fault) or (np.isfinite(found.pose).all() and np.isfinite(found.speech.samples).all())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_marks_and_line_ends_of_other_systems(folder, text, encoding, newline) -> None:
    (folder / "odd.bvh").write_bytes(text.replace("\n", newline).encode(encoding))
    found = outcome(folder)
    assert isinstance(found, Recording) or (encoding == "utf-16" and "HIERARCHY" in found.reason)


def test_a_reader_that_raises_anything_is_named(folder, take, monkeypatch) -> None:
    recordings.export(folder / "odd.npz", take.pose)

    def broken(path):
        raise MemoryError("8 TiB")

    monkeypatch.setattr(recordings, "_read_npz", broken)
    assert outcome(folder).reason == "cannot be read (MemoryError: 8 TiB)"


def test_hidden_copies_are_no_data(folder, take) -> None:
    (folder / ".ipynb_checkpoints").mkdir()
    recordings.export(folder / ".ipynb_checkpoints" / "good-checkpoint.bvh", take.pose)
    (folder / "._good.bvh").write_bytes(b"\x00\x05\x16\x07")
    (folder / "odd.wav").unlink()
    assert [type(o) for o in recordings.read_folder(folder)] == [Recording]


def test_a_wav_header_that_promises_more_is_read_as_far_as_it_goes(folder, take) -> None:
    recordings.export(folder / "odd.bvh", take.pose)
    with wave.open(str(folder / "odd.wav"), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((20_000 * take.speech.samples).astype("<i2").tobytes())
    content = bytearray((folder / "odd.wav").read_bytes())
    content[40:44] = (2**31 - 1).to_bytes(4, "little")
    (folder / "odd.wav").write_bytes(bytes(content))
    found = outcome(folder)
    assert isinstance(found, Fault) or found.speech.seconds <= take.speech.seconds + 0.01, json.dumps(str(found))
