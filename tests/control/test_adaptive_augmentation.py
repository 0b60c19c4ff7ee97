"""ADA's rule as a fold over a recorded trace."""

import pytest

from gannb.control.adaptive_augmentation import AdaptiveAugmentation


def followed(driver: AdaptiveAugmentation, signs: list[float | None], start: float = 0.0) -> list[float]:
    value, path = start, []
    for step, sign in enumerate(signs):
        seen = {} if sign is None else {"D/sign_real": sign}
        value = driver(step, seen, {"augment_probability": value}).get("augment_probability", value)
        path.append(value)
    return path


def test_overfitting_raises_it_to_the_cap_and_its_absence_lowers_it_to_zero():
    def make():
        return AdaptiveAugmentation(every=4, batch_size=16, images_to_one=1_000)

    up = followed(make(), [1.0] * 80)
    assert up[4] == pytest.approx(16 * 4 / 1000)
    assert up == sorted(up)
    assert up[-1] == 0.8
    down = followed(make(), [0.2] * 80, start=0.5)
    assert down[-1] == 0.0
    assert followed(make(), [0.6] * 20, start=0.5)[-1] == 0.5


def test_it_goes_by_the_mean_since_the_last_move():
    driver = AdaptiveAugmentation(every=4, images_to_one=1_000)
    assert followed(driver, [None, 1.0, 1.0, 1.0, -1.0], start=0.5)[-1] < 0.5


def test_without_evidence_it_does_not_move():
    driver = AdaptiveAugmentation(every=2)
    assert followed(driver, [None] * 10, start=0.3) == [0.3] * 10


def test_it_resumes_in_the_middle_of_an_interval():
    signs = [1.0, -1.0, 1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 0.9, 0.2, 1.0, 1.0]
    whole = followed(AdaptiveAugmentation(every=4, images_to_one=1_000), signs)
    first, second = (AdaptiveAugmentation(every=4, images_to_one=1_000) for _ in range(2))
    start = followed(first, signs[:6])[-1]
    second.load_state_dict(first.state_dict())
    value, path = start, []
    for step in range(6, 12):
        value = second(step, {"D/sign_real": signs[step]}, {"augment_probability": value}).get(
            "augment_probability", value
        )
        path.append(value)
    assert path == whole[6:]


def test_impossible_settings_are_named():
    with pytest.raises(ValueError, match="every=0"):
        AdaptiveAugmentation(every=0)
