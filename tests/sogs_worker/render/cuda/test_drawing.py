"""The kernels draw what torch draws, and their gradients are those of torch's autograd.

Where there is no GPU, the same source runs compiled for the CPU, one thread after the other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from devices import needs_gpu
from drawn_scenes import camera, random_scene
from sogs_worker.encode.cloud import Cloud, upload
from sogs_worker.errors import NoGPUError
from sogs_worker.refine.optimizer import ABSOLUTE, ROUNDING, Optimizer, Rates, SharedHarmonics
from sogs_worker.render import Camera, load_scene
from sogs_worker.render import project as project_module
from sogs_worker.render.camera import look_at
from sogs_worker.render.cuda.drawing import Views, draw, pack_views
from sogs_worker.render.cuda.program import Program, compile_kernels, load_program
from sogs_worker.render.harmonics import colours
from sogs_worker.render.picture import draw_with_torch
from sogs_worker.render.project import Ellipses, project
from sogs_worker.render.scene import Scene, build_shapes
from sogs_worker.splats import ARRAYS, Model

DEVICES = ["cpu", pytest.param("cuda", marks=needs_gpu)]
WIDTH, HEIGHT = 40, 27
RATE = 1e-3
CAMERAS = [camera(WIDTH, HEIGHT), camera(WIDTH, HEIGHT, eye=(-3.0, -1.0, 2.0))]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Program:
    from cuda_emulator.host import HostProgram

    return HostProgram(tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def program(request: pytest.FixtureRequest, device: str) -> Program:
    return load_program() if device == "cuda" else request.getfixturevalue("host")


@pytest.fixture
def fixed_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have torch leave out, as the kernels do, that a splat which moves is seen from another side."""

    def shades(scene: Scene, index: Tensor, view: Camera) -> Tensor:
        eye = torch.tensor(view.position).float().to(scene.device)
        rays = torch.nn.functional.normalize(scene.positions[index].detach() - eye, dim=1)
        return colours(scene.sh0[index], scene.shn[index], rays)

    monkeypatch.setattr(project_module, "_shades", shades)


def views_of(device: str) -> Views:
    return pack_views(CAMERAS, torch.device(device))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", list(Model))
@pytest.mark.parametrize("bands", [0, 1, 3])
def test_pictures_are_those_of_torch(bands: int, model: Model, device: str, program: Program) -> None:
    scene = load_scene(replace(random_scene(300, bands, seed=bands), model=model), device)
    got = draw(program, scene, views_of(device))
    for number, view in enumerate(CAMERAS):
        expected, lights = draw_with_torch(scene, view)
        assert expected.std() > 0.05
        torch.testing.assert_close(got.colours[number], expected, atol=2e-3, rtol=0)
        torch.testing.assert_close(got.lights[number], lights, atol=2e-3, rtol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_a_picture_of_many_opaque_splats_ends_early_and_looks_the_same(device: str, program: Program) -> None:
    scene = replace(load_scene(random_scene(2000, 0, seed=4), device), alphas=torch.ones(2000, device=device))
    drawing = draw(program, scene, views_of(device), differentiable=True)
    assert drawing.blended is not None
    longest = drawing.starts.diff().max()
    assert longest > 256, "a tile has more ellipses than a block reads at once"
    assert drawing.blended.max() < longest
    torch.testing.assert_close(drawing.colours[0], draw_with_torch(scene, CAMERAS[0])[0], atol=2e-3, rtol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_views_that_are_drawn_together_are_those_drawn_alone(device: str, program: Program) -> None:
    scene = load_scene(random_scene(500, 1, seed=8), device)
    together = draw(program, scene, views_of(device))
    for number, view in enumerate(CAMERAS):
        alone = draw(program, scene, pack_views([view], torch.device(device)))
        assert torch.equal(together.colours[number], alone.colours[0])


@pytest.mark.parametrize("device", DEVICES)
def test_a_scene_that_no_camera_sees_is_black(device: str, program: Program) -> None:
    splats = random_scene(20, 0)
    behind = replace(splats, positions=splats.positions * 0 - 100)
    drawing = draw(program, load_scene(behind, device), views_of(device))
    assert not drawing.colours.any()
    assert (drawing.lights == 1).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", [Model.DEFAULT, Model.ANTIALIASED])
@pytest.mark.parametrize("absolute", [0.0, 0.1])
@pytest.mark.usefixtures("fixed_directions")
def test_first_steps_follow_the_gradients_of_torch(
    absolute: float, model: Model, device: str, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adam's first step is the rate times the gradient's sign; its running mean is a tenth of the gradient."""
    monkeypatch.setattr("sogs_worker.refine.optimizer.ABSOLUTE", absolute)
    cloud = upload(replace(random_scene(40, 3), model=model), device)
    views = views_of(device)
    targets = torch.randint(0, 256, (2, HEIGHT, WIDTH, 3), dtype=torch.uint8).to(device)
    optimizer = Optimizer(program, cloud)
    optimizer.step(views, targets, Rates(*[RATE] * 6))
    expected = torch_gradients(cloud, targets, absolute)
    shape, colour = optimizer._shape[0], optimizer._colour[0]
    columns = [*shape.split([3, 4, 3, 1], 1), *colour.split([3, 45], 1)]
    means = {name: part.reshape(getattr(cloud, name).shape) for name, part in zip(ARRAYS, columns, strict=True)}
    for name in ARRAYS:
        gradient = expected[name]
        got = 10 * means[name]
        assert (got - gradient).norm() < 1e-3 * gradient.norm(), name
        moved = getattr(optimizer.cloud, name) - getattr(cloud, name)
        certain = gradient.abs() > 1e-3 * gradient.abs().max()
        assert (moved.sign() == -gradient.sign())[certain].all(), name
        if name != "positions":  # those move in units of the splat's size
            torch.testing.assert_close(moved.abs()[certain], torch.full_like(moved, RATE)[certain], atol=0, rtol=0.02)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.usefixtures("fixed_directions")
def test_shared_harmonics_move_by_the_sum_of_their_splats(device: str, program: Program) -> None:
    cloud = upload(random_scene(40, 1), device)
    labels = torch.arange(40, device=device) % 7
    shared = SharedHarmonics(cloud.shn[:7], labels)
    cloud = replace(cloud, shn=cloud.shn[:7][labels])
    views = views_of(device)
    targets = torch.randint(0, 256, (2, HEIGHT, WIDTH, 3), dtype=torch.uint8).to(device)
    before = shared.entries.clone()
    optimizer = Optimizer(program, cloud, shared)
    optimizer.step(views, targets, Rates(0, 0, 0, 0, 0, RATE))
    expected = torch.zeros_like(before).index_add(0, labels, torch_gradients(cloud, targets, ABSOLUTE)["shn"])
    moved = shared.entries - before
    certain = expected.abs() > 1e-3 * expected.abs().max()
    assert (moved.sign() == -expected.sign())[certain].all()
    assert torch.equal(optimizer.cloud.shn, shared.entries[labels])
    assert all(torch.equal(getattr(optimizer.cloud, name), getattr(cloud, name)) for name in ARRAYS if name != "shn")


@pytest.mark.parametrize("device", DEVICES)
def test_what_no_view_shows_stays(device: str, program: Program) -> None:
    splats = random_scene(30, 1)
    aside = 1000 * (np.arange(30) < 10)[:, None].astype(np.float32)
    hidden = replace(splats, positions=splats.positions + aside)
    cloud = upload(hidden, device)
    optimizer = Optimizer(program, cloud)
    targets = torch.zeros(2, HEIGHT, WIDTH, 3, dtype=torch.uint8, device=device)
    for _ in range(2):
        optimizer.step(views_of(device), targets, Rates(*[RATE] * 6))
    for name in ARRAYS:
        assert torch.equal(getattr(optimizer.cloud, name)[:10], getattr(cloud, name)[:10]), name
        assert not torch.equal(getattr(optimizer.cloud, name), getattr(cloud, name)), name


@pytest.mark.parametrize("device", DEVICES)
def test_a_splat_that_is_first_seen_late_moves_no_further_than_the_rate(device: str, program: Program) -> None:
    cloud = upload(random_scene(40, 1), device)
    targets = torch.zeros(2, HEIGHT, WIDTH, 3, dtype=torch.uint8, device=device)
    turned = look_at(np.array([0.0, 0.0, -6.0]), np.array([0.0, 0.0, -9.0]))
    away = replace(CAMERAS[0], world_to_camera=turned)
    aside = pack_views([away, away], torch.device(device))
    optimizer = Optimizer(program, cloud)
    for _ in range(20):
        optimizer.step(aside, targets, Rates(*[RATE] * 6))
    before = optimizer.cloud.sh0.clone()
    optimizer.step(views_of(device), targets, Rates(*[RATE] * 6))
    moved = (optimizer.cloud.sh0 - before).abs()
    assert RATE / 2 < moved.max() < 1.01 * RATE


def test_without_the_bindings_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sogs_worker.render.cuda.program.find_spec", lambda _name: None)
    with pytest.raises(NoGPUError, match=r"need the package cuda-bindings, .* install such a torch, or use the CPU"):
        load_program.__wrapped__()


def test_kernels_compile_for_the_architectures_of_torch() -> None:
    """NVRTC needs no GPU for it; torch for CUDA 12 runs on these."""
    pytest.importorskip("cuda.bindings", reason="torch's CUDA packages are not installed")
    for architecture in ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120"):
        assert compile_kernels(architecture).startswith(b"\x7fELF")


def torch_gradients(cloud: Cloud, targets: Tensor, absolute: float) -> dict[str, Tensor]:
    """Differentiate the logarithms of the errors of the pictures from `views_of`, by autograd."""
    leaves = {name: getattr(cloud, name).clone().requires_grad_() for name in ARRAYS}
    geometry = (leaves[name] for name in ("positions", "rotations", "scales", "opacities"))
    scene = Scene(**vars(build_shapes(*geometry, model=cloud.model)), sh0=leaves["sh0"], shn=leaves["shn"])
    pictures = torch.stack([blend_densely(project(scene, view)) for view in CAMERAS])
    errors = pictures.clamp_max(1) - targets / 255
    means = (errors.square() + absolute * errors.abs()).mean(dim=(1, 2, 3))
    ((means + ROUNDING).log().sum() * errors[0].numel()).backward()
    return {name: leaf.grad if leaf.grad is not None else torch.zeros_like(leaf) for name, leaf in leaves.items()}


def blend_densely(ellipses: Ellipses) -> Tensor:
    """(HEIGHT, WIDTH, 3) the picture, every ellipse at every pixel."""
    device = ellipses.means.device
    y, x = torch.meshgrid(
        torch.arange(HEIGHT, device=device) + 0.5, torch.arange(WIDTH, device=device) + 0.5, indexing="ij"
    )
    dx, dy = x[..., None] - ellipses.means[:, 0], y[..., None] - ellipses.means[:, 1]
    a, b, c = ellipses.conics.unbind(1)
    alphas = (ellipses.alphas * torch.exp(-(a * dx * dx + c * dy * dy) / 2 - b * dx * dy)).clamp_max(0.999)
    alphas = torch.where(alphas > 1 / 255, alphas, 0)
    lights = torch.cat([torch.ones_like(alphas[..., :1]), (1 - alphas).cumprod(2)[..., :-1]], 2)
    return ((alphas * lights)[..., None] * ellipses.colours).sum(2)
