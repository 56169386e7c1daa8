"""Networks of the user's own, and several of ours, in `fit`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fits import gaussian_rows, quick
from scorematching.errors import InvalidInput
from scorematching.fitting import fit
from scorematching.nets import Ensemble, ResidualMLP
from scorematching.random import forked
from scorematching.training import Record


def own(d: int = 2, n_classes: int = 0) -> ResidualMLP:
    with forked("own net"):
        return ResidualMLP(d, 16, 1, 0.0, n_classes)


class Line(nn.Module):
    """As small as a network of the user's may be."""

    def __init__(self, d: int = 2) -> None:
        super().__init__()
        with forked("line"):
            self.layer = nn.Linear(d + 1, d)

    def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
        return self.layer(torch.cat([x, log_sigma[:, None]], 1))


def test_a_module_of_ones_own_is_trained_in_place() -> None:
    net = Line()
    before = net.layer.weight.detach().clone()
    fitted = quick(gaussian_rows(60, 2), 5, net=net)
    assert fitted.denoiser.net is net
    assert not torch.equal(net.layer.weight, before)
    assert fitted.configuration.net.type == "own"
    assert fitted.reasons["net"] == "Line: as given"
    assert fitted.sample(3).shape == (3, 2)


def test_a_module_of_doubles_is_trained_in_doubles() -> None:
    fitted = quick(gaussian_rows(60, 2), 3, net=Line().double())
    assert fitted.denoiser.base.mean.dtype == torch.float64
    assert fitted.log_density(gaussian_rows(3, 2)).shape == (3,)


def test_our_own_net_given_by_hand_and_classes_work_as_well() -> None:
    x = gaussian_rows(60, 2)
    labels = (x[:, 0] > 5).astype(int)
    fitted = quick(x, 2, net=own(n_classes=2), labels=labels)
    assert fitted.sample(4, labels=1).shape == (4, 2)
    ensemble = quick(x, 2, net=Ensemble([own(), Line()]))
    assert ensemble.sample(4).shape == (4, 2)
    with pytest.raises(InvalidInput, match="built for 0 classes and 0 conditions: got"):
        quick(x, net=own(), labels=labels)


class Silent(nn.Module):
    def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
        return x


class Column(Line):
    def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
        return super().forward(x, log_sigma)[:, :1]


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (Silent(), "no parameter that requires a gradient"),
        (nn.Linear(2, 2), r"cannot be called on x \(2, 2\), ln σ \(2,\) of torch.float32: TypeErr"),
        (Line(3), "cannot be called .*RuntimeError"),
        (Line().half(), "cannot be called .*RuntimeError"),
        (Column(), r"the network must return .*\(2, 2\): got \(2, 1\)"),
    ],
)
def test_a_net_that_does_not_fit_is_refused_before_training(net: nn.Module, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        quick(gaussian_rows(60, 2), net=net)


def test_a_net_and_the_settings_of_another_contradict_each_other() -> None:
    with pytest.raises(InvalidInput, match=r"net\.width is no setting; there are type, name"):
        fit(gaussian_rows(60, 2), net=Line(), configuration={"net": {"width": 32}}, quiet=True)
    with pytest.raises(InvalidInput, match="given as net=…"):
        fit(
            gaussian_rows(60, 2),
            configuration={"net": {"type": "own", "name": "Line"}},
            quiet=True,
        )


def test_the_trial_of_a_net_leaves_it_and_the_random_state_alone() -> None:
    class Dropping(Line):
        def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
            noise = nn.functional.dropout(torch.ones_like(x), 0.5, training=True)
            return super().forward(x * noise, log_sigma)

    before = torch.random.get_rng_state()
    quick(gaussian_rows(60, 2), net=Dropping())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_members_train_in_one_batch_of_rows_for_each() -> None:
    records: list[Record] = []
    settings = {"training": {"n_members": 3, "batch_size": 16}}
    fitted = quick(gaussian_rows(90, 2), 2, settings, on_record=records.append)
    assert isinstance(fitted.denoiser.net, Ensemble)
    assert len(fitted.denoiser.net.members) == 3
    first, second = (m.outlet.weight for m in list(fitted.denoiser.net.members)[:2])
    assert not torch.equal(first, second)
