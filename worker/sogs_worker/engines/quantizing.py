"""Splats become the planes and metadata of SOG version 2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from sogs_worker.encode.cloud import Cloud
from sogs_worker.encode.dropped import Dropped
from sogs_worker.encode.palette import TrainedPalette, label_splats, quantize_entries, train_palette
from sogs_worker.engines.attributes import add_colours, arrange, code_shapes, round_positions, weigh
from sogs_worker.engines.fitting import fit_colours, place
from sogs_worker.engines.heap import tidy
from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.quality import QUALITIES
from sogs_worker.formats.sog.layout import EncodedScene, Layout
from sogs_worker.refine import Refinery, SharedHarmonics
from sogs_worker.splats import Origin

WEIGHED, TRAINED = 0.25, 0.75
WEIGHED_ALONE = 0.8
"""Shares of the time that are over when the splats' importance is known, and when the palette's entries are; the last
where there is no palette."""

UNDONE = "fitting its splats' {what} to pictures was undone: other pictures looked less like the scene after it"


@dataclass(frozen=True)
class Kept:
    """What splats can be quantised from once more.

    Attributes:
        cloud: the N splats, in the order of the planes, with the colours that they were fitted to have.
        weights: (N,) float32, their importance.
        trained: the palette's centroids; None where there are no SH bands.
        shared: the palette's entries and the splats' labels, where they were fitted.
        step: see `Quality.choose_step`.
    """

    cloud: Cloud
    weights: Tensor
    trained: TrainedPalette | None
    shared: SharedHarmonics | None
    step: float


def quantize(
    clouds: list[Cloud],
    parameters: Parameters,
    *,
    device: str,
    origin: Origin,
    refinery: Refinery | None = None,
    keep: Callable[[Kept], None] | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> EncodedScene:
    """Encode splats.

    Args:
        clouds: the usable splats, as its one element; it is emptied, so that they can be let go.
        parameters: their quality and seed are looked at.
        device: `cpu` or `cuda`.
        origin: where in the world positions are counted from.
        refinery: fits colours to its pictures once shapes are quantised; None leaves them as they are.
        keep: receives what they can be quantised from once more.
        progress: receives the fraction done.
    """

    def report(done: float) -> None:
        tidy(device)
        progress(done)

    def trained_so_far(done: float) -> None:
        report(WEIGHED + (TRAINED - WEIGHED) * done)

    quality = QUALITIES[parameters.quality]
    weighed = WEIGHED if clouds[0].shn.shape[1] else WEIGHED_ALONE
    weights = weigh(clouds[0], lambda done: progress(weighed * done))
    cloud, weights = arrange(clouds.pop(), weights, quality)
    tidy(device)
    shn, cloud = cloud.shn, replace(cloud, shn=cloud.shn.new_empty(len(cloud), 0, 3))
    notes: tuple[str, ...] = ()
    with Layout(device) as layout:
        trained = palette = shared = None
        means = round_positions(cloud, weights, quality, origin)
        layout.add_means(means)
        if shn.shape[1]:
            effort, seed = quality.palette, parameters.seed
            trained = train_palette(
                shn, weights, effort=effort, enough=quality.enough, seed=seed, progress=trained_so_far
            )
        del shn
        step = quality.choose_step(trained.error if trained else 0.0)
        scales, rotations = code_shapes(cloud, weights, quality.strength, step)
        layout.add_scales(scales)
        layout.add_rotations(rotations)
        if refinery:
            begin = TRAINED if trained else WEIGHED_ALONE
            fitted = fit_colours(
                place(cloud, means, scales, rotations, origin),
                trained,
                weights,
                refinery,
                progress=lambda done: progress(begin + (1 - begin) * done),
            )
            cloud = replace(cloud, opacities=fitted.cloud.opacities, sh0=fitted.cloud.sh0)
            palette, shared = fitted.palette, fitted.shared
            if not fitted.is_kept:
                notes = (UNDONE.format(what="colours"),)
        add_colours(layout, cloud, weights, quality.strength, step)
        tidy(device)
        if keep:
            keep(Kept(cloud, weights, trained, shared, step))
        if trained:
            layout.add_palette(palette or label_splats(trained))
            del trained
            tidy(device)
        scene = layout.finish(Dropped(), cloud.model)
    report(1.0)
    return replace(scene, notes=notes)


def quantize_anew(kept: Kept, parameters: Parameters, *, coarser: float, device: str, origin: Origin) -> EncodedScene:
    """Encode splats as they were encoded before, but with all steps `coarser` times as wide."""
    quality, step = QUALITIES[parameters.quality], coarser * kept.step
    with Layout(device) as layout:
        layout.add_means(round_positions(kept.cloud, kept.weights, quality, origin, coarser))
        scales, rotations = code_shapes(kept.cloud, kept.weights, quality.strength, step)
        layout.add_scales(scales)
        layout.add_rotations(rotations)
        add_colours(layout, kept.cloud, kept.weights, quality.strength, step)
        if kept.trained:
            palette_step = coarser * kept.trained.step
            if kept.shared:
                entries, labels = kept.shared.entries, kept.shared.labels
                layout.add_palette(quantize_entries(entries, labels, kept.weights, palette_step))
            else:
                layout.add_palette(label_splats(replace(kept.trained, step=palette_step)))
        return layout.finish(Dropped(), kept.cloud.model)
