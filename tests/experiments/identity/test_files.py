"""Feature files: what is read, what is refused and with which words."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gannb.experiments.identity import files
from gannb.experiments.identity.faces import FaceDataError
from gannb.experiments.identity.synthetic import synthesise

UMIST = Path(__file__).parents[4] / "shared/data/faces/umist_features.npz"


def arrays(count: int = 12, people: int = 3) -> dict[str, np.ndarray]:
    """A file's contents with nothing wrong: `people` people with the same number of images each."""
    draw = np.random.default_rng(0)
    return {
        "features": draw.normal(size=(count, 512)).astype(np.float32),
        "identity": np.arange(count) % people,
        "pose": np.stack([np.linspace(-80, 80, count), np.zeros(count), np.zeros(count)], axis=1),
    }


def written(folder: Path, **changed: np.ndarray) -> Path:
    path = folder / "features.npz"
    np.savez(path, **{name: array for name, array in (arrays() | changed).items() if array is not None})
    return path


def with_value(name: str, row: int, value: float) -> dict[str, np.ndarray]:
    array = arrays()[name].copy()
    array[row] = value
    return {name: array}


def test_a_good_file_comes_in_as_it_is(tmp_path: Path) -> None:
    wanted = arrays()
    read = files.load(written(tmp_path))
    assert read.features.dtype == torch.float32 and read.identity.dtype == torch.int64
    assert np.array_equal(read.features, wanted["features"]) and np.array_equal(read.identity, wanted["identity"])
    assert np.allclose(read.pose, wanted["pose"])


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    made = synthesise(4, 5, seed=1)
    back = files.load(files.save(tmp_path / "made.npz", made))
    assert all(torch.equal(getattr(made, name), getattr(back, name)) for name in ("features", "identity", "pose"))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"features": np.ones((12, 256), np.float32)},
            r"features is \[12, 256\] float32; needed is \[N, 512\].*use an embedder",
        ),
        ({"features": np.ones((12, 512), bool)}, "features holds bool"),
        (with_value("features", 3, np.nan), r"features holds NaN or infinity \(512 of 6144 values, first at \[3, 0\]"),
        (with_value("features", 5, np.inf), r"features holds NaN or infinity \(512 of 6144 values, first at \[5, 0\]"),
        (with_value("features", 7, 0), "zero vectors in row 7 .*drop these rows"),
        ({"identity": np.zeros(12, int)}, "all 12 faces have identity 0; at least two identities"),
        ({"identity": np.array([0, 1] * 5 + [2, 3])}, "identities 2, 3 with one image: .*drop_singles=True"),
        ({"identity": np.arange(11)}, r"identity is \[11\] int64; needed is \[N\], one integer"),
        (
            {"identity": np.array(["ann", "bob"] * 6)},
            r"identity is \[12\] <U3.*np.unique\(names, return_inv",
        ),
        ({"pose": np.radians(arrays()["pose"])}, "largest angle in pose is 1.40, so it looks like radians"),
        ({"pose": arrays()["pose"][:, 0]}, r"pose is \[12\] float64; needed is \[N, 3\], yaw.*fill pitch and roll"),
        (with_value("pose", 2, np.nan), r"pose holds NaN or infinity \(3 of 36 values, first at \[2, 0\]"),
        (with_value("pose", 2, 400), "pose reaches 400, allowed are angles within ±180"),
        ({"pose": None}, "has no array 'pose'; it holds features .*identity"),
        ({"features": np.array([[None] * 512] * 12)}, "write numbers, not objects"),
    ],
)
def test_a_bad_file_is_refused_and_the_message_says_what_to_do(
    tmp_path: Path, changed: dict[str, np.ndarray], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        files.load(written(tmp_path, **changed))


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file"):
        files.load(tmp_path / "absent.npz")
    text = tmp_path / "text.npz"
    text.write_text("not an archive")
    with pytest.raises(ValueError, match="no readable"):
        files.load(text)
    broken = written(tmp_path)
    broken.write_bytes(broken.read_bytes()[:-200])
    with pytest.raises(ValueError, match="no readable"):
        files.load(broken)
    np.save(tmp_path / "one.npy", np.zeros((3, 512)))
    with pytest.raises(ValueError, match="single array"):
        files.load(tmp_path / "one.npy")


def test_many_bad_rows_are_counted_not_listed(tmp_path: Path) -> None:
    features = arrays()["features"]
    features[:9] = 0
    with pytest.raises(FaceDataError, match="rows 0, 1, 2, 3, 4 and 4 more"):
        files.load(written(tmp_path, features=features))


def test_radians_are_converted_when_said(tmp_path: Path) -> None:
    path = written(tmp_path, pose=np.radians(arrays()["pose"]))
    assert torch.allclose(files.load(path, pose_unit="radians").pose, torch.from_numpy(arrays()["pose"]).float())
    small = files.load(path, pose_unit="degrees")  # all faces really within 1.4° of frontal
    assert small.pose.abs().max() < 1.5


def test_single_images_are_left_out_when_said(tmp_path: Path) -> None:
    path = written(tmp_path, identity=np.array([0, 1] * 5 + [2, 3]))
    assert files.load(path, drop_singles=True).identities.tolist() == [0, 1]
    with pytest.raises(FaceDataError, match="1 identities are left"):
        files.load(written(tmp_path, identity=np.array([0] * 10 + [2, 3])), drop_singles=True)


def test_features_that_are_only_to_be_cleaned_need_no_identity(tmp_path: Path) -> None:
    assert len(files.FaceFile(written(tmp_path, identity=None))) == 12
    assert len(files.FaceFile(written(tmp_path, identity=np.zeros(12, int)))) == 12


def test_blocks_of_a_file_are_what_is_loaded_and_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "BLOCK", 5)
    path = written(tmp_path, pose=np.radians(arrays()["pose"]))
    whole = files.load(path, pose_unit="radians")
    blocks = list(files.FaceFile(path, pose_unit="radians").blocks())
    assert [len(features) for features, _ in blocks] == [5, 5, 2]
    assert torch.equal(torch.cat([features for features, _ in blocks]), whole.features)
    assert torch.equal(torch.cat([pose for _, pose in blocks]), whole.pose)
    zero = arrays()["features"]
    zero[[3, 11]] = 0
    for says, changed in [
        ("zero vectors in rows 3, 11 ", {"features": zero}),
        (r"features holds NaN or infinity \(first at \[7, 0\]", with_value("features", 7, np.nan)),
        (r"pose holds NaN or infinity \(first at \[10, 0\]", with_value("pose", 10, np.inf)),
        ("pose reaches 400", with_value("pose", 11, 400)),
        ("looks like radians", {"pose": np.radians(arrays()["pose"])}),
        (r"features is \[12, 256\]", {"features": np.ones((12, 256), np.float32)}),
        (r"features is \[\]", {"features": np.float32(1)}),
        (r"features is \[0, 512\]", {"features": np.ones((0, 512)), "pose": np.ones((0, 3))}),
        (r"pose is \[11, 3\]", {"pose": np.ones((11, 3))}),
        (r"identity is \[11\]", {"identity": np.arange(11)}),
        ("has no array 'pose'", {"pose": None}),
        ("holds bool", {"features": np.ones((12, 512), bool)}),
    ]:
        with pytest.raises(ValueError, match=says):
            files.FaceFile(written(tmp_path, **changed))


@pytest.mark.skipif(not UMIST.is_file(), reason="the real face features are not here")
def test_real_features_load_and_have_targets() -> None:
    umist = files.load(UMIST)
    assert (len(umist), len(umist.identities)) == (389, 14)
    assert len(umist.with_targets()) == 389
