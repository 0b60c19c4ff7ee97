"""ResNets for CIFAR-10: layout, shortcut, checkpoints good and bad."""

import pickle

import pytest
import torch

from gannb.metrics.resnet_cifar import ResNetCifar, load_resnet


def test_parameter_counts_are_those_of_the_paper():
    for depth, millions in ((20, 0.27), (56, 0.85)):
        count = sum(p.numel() for p in ResNetCifar(depth).parameters())
        assert count / 1e6 == pytest.approx(millions, abs=0.006)


def test_shortcut_takes_every_second_place_and_adds_zeros():
    block = ResNetCifar(8).layer2[0].eval()
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.rand(1, 16, 6, 6)
    out = block(x)
    assert torch.equal(out[:, 8:24], x[..., ::2, ::2]) and not out[:, [*range(8), *range(24, 32)]].any()


@pytest.mark.parametrize("depth", [21, 2, 0])
def test_depths_that_do_not_exist(depth):
    with pytest.raises(ValueError, match=f"6n . 2 .*found {depth}"):
        ResNetCifar(depth)


@pytest.mark.parametrize("wrapped", [True, False])
def test_checkpoint_gives_depth_classes_and_weights(tmp_path, wrapped):
    network = ResNetCifar(14, classes=7).eval()
    state = network.state_dict()
    if wrapped:
        state = {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "best_prec1": 1.0}
    torch.save(state, tmp_path / "net.th")
    loaded = load_resnet(tmp_path / "net.th")
    x = torch.randn(2, 3, 32, 32)
    assert loaded.depth == 14 and not loaded.training and torch.equal(loaded(x), network(x))


def test_files_that_are_no_such_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        load_resnet(tmp_path / "none.th")
    (tmp_path / "text.th").write_text("not a checkpoint")
    with pytest.raises(ValueError, match=r"text\.th is no checkpoint of plain weights"):
        load_resnet(tmp_path / "text.th")
    (tmp_path / "empty.th").touch()
    with pytest.raises(ValueError, match=r"empty\.th is no checkpoint of plain weights: it ends early"):
        load_resnet(tmp_path / "empty.th")

    state = ResNetCifar(8).state_dict()
    del state["layer3.0.bn2.weight"]
    torch.save(state, tmp_path / "partly.th")
    with pytest.raises(ValueError, match=r"(?s)does not fit a CIFAR ResNet-8.*layer3\.0\.bn2\.weight"):
        load_resnet(tmp_path / "partly.th")


class _Runs:
    def __reduce__(self):
        return (exec, ("raise SystemExit('ran')",))


def test_pickled_code_does_not_run(tmp_path):
    (tmp_path / "evil.th").write_bytes(pickle.dumps({"state_dict": _Runs()}))
    with pytest.raises(ValueError, match="no checkpoint of plain weights"):
        load_resnet(tmp_path / "evil.th")
