"""Face features: what is read, what is refused and with which words, splits by identity, targets, planted pose."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.experiments.identity import faces
from gannb.experiments.identity.faces import FaceDataError, Faces

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
    read = faces.load(written(tmp_path))
    assert read.features.dtype == torch.float32 and read.identity.dtype == torch.int64
    assert np.array_equal(read.features, wanted["features"]) and np.array_equal(read.identity, wanted["identity"])
    assert np.allclose(read.pose, wanted["pose"])


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    made = faces.make(4, 5, seed=1)
    back = faces.load(faces.save(tmp_path / "made.npz", made))
    assert all(torch.equal(getattr(made, name), getattr(back, name)) for name in ("features", "identity", "pose"))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"features": np.ones((12, 256), np.float32)}, r"shape \[12, 256\], needed is \[N, 512\]; use an embedder"),
        ({"features": np.ones((12, 512), bool)}, "features are bool"),
        (with_value("features", 3, np.nan), "NaN or infinite values in row 3; drop"),
        (with_value("features", 5, np.inf), "NaN or infinite values in row 5; drop"),
        (with_value("features", 7, 0), "zero vectors in row 7 .*drop these rows"),
        ({"identity": np.zeros(12, int)}, "all 12 faces have identity 0; at least two identities"),
        ({"identity": np.array([0, 1] * 5 + [2, 3])}, "identities 2, 3 with one image: .*drop_singles=True"),
        ({"identity": np.arange(11)}, r"identity has shape \[11\], needed is \[12\]"),
        ({"identity": np.array(["ann", "bob"] * 6)}, r"identity is <U3.*np.unique\(names, return_inverse=True\)"),
        ({"pose": np.radians(arrays()["pose"])}, "largest angle in pose is 1.40, so it looks like radians"),
        ({"pose": arrays()["pose"][:, 0]}, "needed is .12, 3.: yaw, pitch, roll in degrees .*fill pitch and roll"),
        (with_value("pose", 2, np.nan), "pose has NaN or infinite values in row 2"),
        (with_value("pose", 2, 400), "pose reaches 400, allowed are angles within ±180"),
        ({"pose": None}, "lacks pose: it holds features, identity"),
        ({"features": np.array([[None] * 512] * 12)}, "write numbers, not objects"),
    ],
)
def test_a_bad_file_is_refused_and_the_message_says_what_to_do(
    tmp_path: Path, changed: dict[str, np.ndarray], says: str
) -> None:
    with pytest.raises(FaceDataError, match=says):
        faces.load(written(tmp_path, **changed))


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file"):
        faces.load(tmp_path / "absent.npz")
    text = tmp_path / "text.npz"
    text.write_text("not an archive")
    with pytest.raises(FaceDataError, match="cannot be read"):
        faces.load(text)
    broken = written(tmp_path)
    broken.write_bytes(broken.read_bytes()[:-200])
    with pytest.raises(FaceDataError, match="cannot be read"):
        faces.load(broken)
    np.save(tmp_path / "one.npy", np.zeros((3, 512)))
    with pytest.raises(FaceDataError, match="single array"):
        faces.load(tmp_path / "one.npy")


def test_many_bad_rows_are_counted_not_listed(tmp_path: Path) -> None:
    features = arrays()["features"]
    features[:9] = np.nan
    with pytest.raises(FaceDataError, match="rows 0, 1, 2, 3, 4 and 4 more"):
        faces.load(written(tmp_path, features=features))


def test_radians_are_converted_when_said(tmp_path: Path) -> None:
    path = written(tmp_path, pose=np.radians(arrays()["pose"]))
    assert torch.allclose(faces.load(path, pose_unit="radians").pose, torch.from_numpy(arrays()["pose"]).float())
    small = faces.load(path, pose_unit="degrees")  # all faces really within 1.4° of frontal
    assert small.pose.abs().max() < 1.5


def test_single_images_are_left_out_when_said(tmp_path: Path) -> None:
    path = written(tmp_path, identity=np.array([0, 1] * 5 + [2, 3]))
    assert faces.load(path, drop_singles=True).identities.tolist() == [0, 1]
    with pytest.raises(FaceDataError, match="1 identities are left"):
        faces.load(written(tmp_path, identity=np.array([0] * 10 + [2, 3])), drop_singles=True)


def test_features_that_are_only_to_be_cleaned_need_no_identity(tmp_path: Path) -> None:
    assert len(faces.load(written(tmp_path, identity=None), need_identity=False)) == 12
    assert len(faces.load(written(tmp_path, identity=np.zeros(12, int)), need_identity=False)) == 12


@given(people=st.integers(2, 20), share=st.floats(0.01, 0.99), seed=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_a_split_holds_people_out_not_images(people: int, share: float, seed: int) -> None:
    identity = torch.arange(people * 3) % people
    data = Faces(torch.randn(len(identity), 512), identity, torch.zeros(len(identity), 3))
    train, held_out = data.split(share, seed=seed)
    ours, theirs = set(train.identity.tolist()), set(held_out.identity.tolist())
    assert ours and theirs and not ours & theirs
    assert len(train) + len(held_out) == len(data)
    assert torch.equal(data.split(share, seed=seed)[1].identity, held_out.identity)


def test_folds_hold_everybody_out_once() -> None:
    data = faces.make(7, 4, seed=0)
    folds = data.folds(3, seed=0)
    held = torch.cat([part.identities for _, part in folds])
    assert sorted(held.tolist()) == list(range(7))
    assert all(not set(a.identity.tolist()) & set(b.identity.tolist()) for a, b in folds)
    with pytest.raises(FaceDataError, match="2 to 7"):
        data.folds(8, seed=0)


def four_faces() -> Faces:
    """One person: three frontal faces along three axes and a profile; another person without a frontal face."""
    features = torch.zeros(6, 512)
    features[range(6), range(6)] = 1.0
    yaw = torch.tensor([0.0, -10.0, 14.9, 80.0, 50.0, 60.0])
    pose = torch.stack([yaw, torch.zeros(6), torch.zeros(6)], dim=1)
    return Faces(features, torch.tensor([7, 7, 7, 7, 9, 9]), pose)


def test_the_target_is_the_mean_frontal_face_without_oneself() -> None:
    aimed = four_faces().with_targets()
    assert aimed.identity.tolist() == [7, 7, 7, 7]  # person 9 has no frontal face, so nothing to aim at
    half, third = 0.5**0.5, (1 / 3) ** 0.5
    wanted = torch.zeros(4, 512)
    wanted[0, [1, 2]] = wanted[1, [0, 2]] = wanted[2, [0, 1]] = half
    wanted[3, :3] = third
    assert torch.allclose(aimed.target, wanted)


def test_a_partner_is_another_image_of_the_same_person() -> None:
    data = faces.make(5, 6, seed=0)
    aimed = data.with_targets("partner", seed=3)
    assert len(aimed) == len(data)
    partner = (aimed.target @ data.features.T).argmax(dim=1)
    assert torch.equal(data.identity[partner], data.identity)
    assert (partner != torch.arange(len(data))).all()


def test_no_target_at_all_is_said() -> None:
    with pytest.raises(FaceDataError, match="no identity has another image below 15°"):
        four_faces().of(torch.tensor([9])).with_targets()


def test_self_made_faces_follow_the_seed_and_hold_their_planted_subspace() -> None:
    one, same, other = (faces.make(6, 10, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.features, same.features) and not torch.equal(one.features, other.features)
    assert torch.allclose(one.features.norm(dim=1), torch.ones(60), atol=1e-5)
    assert torch.allclose(one.planted.T @ one.planted, torch.eye(8), atol=1e-5)
    assert (torch.bincount(one.identity[one.yaw < 15]) >= 3).all()


def test_contamination_grows_with_yaw_inside_the_planted_subspace_only() -> None:
    data = faces.make(40, 30, seed=0, private=0.0, noise=0.0)
    share = (data.features @ data.planted).square().sum(dim=1)
    bins = [share[(data.yaw >= low) & (data.yaw < low + 15)].mean() for low in range(0, 90, 15)]
    assert all(a < b for a, b in pairwise(bins)) and bins[0] < 0.1 and bins[-1] > 0.35
    outside = data.features - data.features @ data.planted @ data.planted.T
    clean = torch.nn.functional.normalize(outside, dim=1)
    same = data.identity.unsqueeze(0) == data.identity.unsqueeze(1)
    assert (clean @ clean.T)[same].min() > 0.9999  # with the subspace taken out, all images of a person agree


def test_making_faces_names_what_is_out_of_range() -> None:
    with pytest.raises(ValueError, match="images ≥ 4"):
        faces.make(5, 3, seed=0)


def test_faces_show_themselves() -> None:
    text = repr(faces.make(4, 5, seed=0))
    assert "20 of 4 identities, 5 to 5 each" in text and "8 pose directions of 512" in text
    assert "<table>" in faces.make(4, 5, seed=0)._repr_html_()


@pytest.mark.skipif(not UMIST.is_file(), reason="the real face features are not here")
def test_real_features_load_and_have_targets() -> None:
    umist = faces.load(UMIST)
    assert (len(umist), len(umist.identities)) == (389, 14)
    assert len(umist.with_targets()) == 389
