"""What pose does to features: planted structure is measured as it was planted."""

import pytest

from gannb.experiments.identity.pose_structure import pose_structure
from gannb.experiments.identity.synthetic import synthesise


def profile(**given: float) -> dict[str, float]:
    table = pose_structure(synthesise(40, 40, seed=0, **given))
    return dict(zip(table.columns, table.rows[-1]))


def test_a_private_displacement_is_not_taught_by_others() -> None:
    shared, own = profile(private=0.0, noise=0.0), profile(private=1.5, noise=0.0)
    assert shared["share in others"] > 0.8 and own["share in others"] < 0.5
    assert shared["cosine to others"] > own["cosine to others"] and own["cosine to last band"] == pytest.approx(1)


def test_overlap_is_the_part_of_a_face_that_pose_moves() -> None:
    apart, over = profile(private=0.0, noise=0.0), profile(private=0.0, noise=0.0, overlap=0.63)
    assert (
        over["frontal: share in others"] > apart["frontal: share in others"] + 0.1
    )  # unit length moves a person's own part too
    assert over["frontal: cosine to others"] < apart["frontal: cosine to others"] - 0.15


def test_a_band_with_too_few_people_is_left_empty() -> None:
    table = pose_structure(synthesise(2, 30, seed=0))
    assert all(row[2:] == (None,) * 6 for row in table.rows)
