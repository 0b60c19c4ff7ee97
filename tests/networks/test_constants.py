"""Constants: one tensor per device, and none that an export has traced."""

import torch
from torch import Tensor, nn

from gannb.networks.constants import constant

CPU = torch.device("cpu")


class Shift(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + constant((0.125, 7.5), x.device)


def test_it_is_put_on_the_device_once() -> None:
    assert constant((0.25, 3.5), CPU) is constant((0.25, 3.5), CPU)
    assert constant((0.25, 3.5), CPU, torch.float64).dtype == torch.float64


def test_what_an_export_traces_does_not_outlive_it() -> None:
    exported = torch.export.export(Shift(), (torch.zeros(2),), strict=False)
    found = constant((0.125, 7.5), CPU)
    assert type(found) is Tensor and found.tolist() == [0.125, 7.5]
    x = torch.tensor([1.0, 2.0])
    assert torch.equal(exported.module()(x), Shift()(x))
    again = torch.export.export(Shift(), (torch.zeros(2),), strict=False).module()  # now that it is known
    assert torch.equal(again(x), Shift()(x))
