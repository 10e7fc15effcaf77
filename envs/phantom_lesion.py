"""The lesions of the phantom: outline, margin, interior, and what they do to the beam behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

FloatGrid = npt.NDArray[np.float32]
LesionKind = Literal["cyst", "benign", "malignant"]
LESIONS: tuple[Literal["none", "cyst", "benign", "malignant"], ...] = ("none", "cyst", "benign", "malignant")

_ANGLES = 256  # samples of an outline
_TURN = np.linspace(-math.pi, math.pi, _ANGLES, endpoint=False)


@dataclass(frozen=True)
class _Look:
    """What is drawn, in BI-RADS terms, and the numbers behind them (dB; ratios)."""

    shape: str
    margin: str
    echo_pattern: str
    posterior: str
    tall: float  # height over width
    level: float  # echogenicity of the interior, gland = 0
    texture: float  # dB of variation inside
    rim: float  # dB of the wall (cyst) or of the echogenic halo (malignant)
    posterior_db: float  # gain behind the thickest part; negative = shadow


@dataclass(frozen=True)
class Lesion:
    """A drawn lesion. mask: bool [H, W]; soft: its blurred edge 0..1; rim: 0..1 on the margin."""

    mask: npt.NDArray[np.bool_]
    attributes: dict[str, str]
    soft: FloatGrid
    rim: FloatGrid
    look: _Look
    pixel_mm: float

    def paint(self, rng: np.random.Generator, echo: FloatGrid, texture: FloatGrid) -> FloatGrid:
        """Echogenicity (dB) with the lesion in it. `texture`: unit-variance field [H, W]."""
        look = self.look
        inside = look.level + look.texture * texture
        out = echo + self.soft * (inside - echo) + look.rim * self.rim
        if look.posterior_db:
            # Attenuation differs inside: every beam carries what it gained or lost on to all deeper tissue.
            path = np.cumsum(self.soft, axis=0)
            path = gaussian_filter1d(path / path.max(), 0.7 / self.pixel_mm, axis=1, mode="nearest", truncate=3.0)
            behind = path * (1 - self.soft)  # the interior has its own level
            out = out + np.float32(look.posterior_db) * behind
        return out.astype(np.float32)


def _pick(rng: np.random.Generator, options: dict[str, float]) -> str:
    return str(rng.choice(list(options), p=list(options.values())))


_POSTERIOR_DB = {"enhancement": (4.0, 8.0), "shadowing": (-18.0, -9.0), "no posterior features": (0.0, 0.0)}


def _look(rng: np.random.Generator, kind: LesionKind) -> _Look:
    """Draw an appearance; the rare options are the overlap between the classes."""
    if kind == "cyst":
        shape = _pick(rng, {"round": 0.4, "oval": 0.6})
        echo = _pick(rng, {"anechoic": 0.86, "hypoechoic": 0.14})  # hypoechoic: debris
        margin = "circumscribed"
        posterior = _pick(rng, {"enhancement": 0.85, "no posterior features": 0.15})
        tall = rng.uniform(0.9, 1.1) if shape == "round" else rng.uniform(0.62, 0.85)
        level = rng.uniform(-42, -32) if echo == "anechoic" else rng.uniform(-22, -15)
        texture, rim = 1.0, rng.uniform(3, 6)
    elif kind == "benign":
        shape = _pick(rng, {"oval": 0.92, "irregular": 0.08})
        echo = _pick(rng, {"hypoechoic": 0.85, "isoechoic": 0.08, "heterogeneous": 0.07})
        margin = _pick(rng, {"circumscribed": 0.9, "indistinct": 0.1})
        posterior = _pick(rng, {"no posterior features": 0.65, "enhancement": 0.25, "shadowing": 0.10})
        tall = rng.uniform(0.48, 0.78)
        level = rng.uniform(-9, -7) if echo == "isoechoic" else rng.uniform(-17, -12)
        texture, rim = (3.5 if echo == "heterogeneous" else 1.2), rng.uniform(0, 2.5)
    else:
        shape = _pick(rng, {"irregular": 0.92, "oval": 0.08})
        echo = _pick(rng, {"hypoechoic": 0.8, "heterogeneous": 0.2})
        margin = _pick(rng, {"spiculated": 0.45, "angular": 0.25, "microlobulated": 0.15, "indistinct": 0.1,
                             "circumscribed": 0.05})  # fmt: skip
        posterior = _pick(rng, {"shadowing": 0.72, "no posterior features": 0.22, "enhancement": 0.06})
        tall = rng.uniform(1.1, 1.6) if rng.random() < 0.85 else rng.uniform(0.8, 1.0)
        level = rng.uniform(-22, -14)
        texture, rim = (3.5 if echo == "heterogeneous" else 1.5), rng.uniform(1, 4)
    return _Look(shape, margin, echo, posterior, tall, level, texture, rim, rng.uniform(*_POSTERIOR_DB[posterior]))


def _outline(rng: np.random.Generator, look: _Look, radius_px: float) -> npt.NDArray[np.float64]:
    """Relative radius at each of `_TURN`'s angles, about 1."""
    edge = np.ones(_ANGLES) + rng.uniform(0, 0.03) * np.cos(2 * _TURN + rng.uniform(0, 6.28))
    if look.shape == "irregular":
        for k in (2, 3, 4, 5):
            edge += rng.uniform(0.03, 0.10) * np.cos(k * _TURN + rng.uniform(0, 6.28))
    if look.margin == "microlobulated":
        edge += rng.uniform(0.06, 0.10) * np.abs(np.cos(rng.integers(4, 7) * _TURN + rng.uniform(0, 6.28)))
    if look.margin in ("spiculated", "angular"):
        spikes = int(rng.integers(6, 11) if look.margin == "spiculated" else rng.integers(3, 6))
        wide = max(0.10 if look.margin == "spiculated" else 0.22, 0.9 / radius_px)  # a pixel at the least
        reach = (0.25, 0.55) if look.margin == "spiculated" else (0.2, 0.35)
        start = rng.uniform(0, 6.28)
        for k in range(spikes):
            away = _TURN - start - (k + rng.uniform(-0.3, 0.3)) * 2 * math.pi / spikes
            away = np.abs((away + math.pi) % (2 * math.pi) - math.pi)
            edge += rng.uniform(*reach) * np.maximum(0.0, 1 - away / (2 * wide))
    return edge


def draw_lesion(
    rng: np.random.Generator,
    kind: LesionKind,
    diameter_mm: float,
    size: int,
    pixel_mm: float,
    gland_mm: tuple[float, float],
) -> Lesion | None:
    """Draw a lesion of the given equivalent diameter inside the image; None if this outline does not fit in it."""
    look = _look(rng, kind)
    radius = diameter_mm / 2 / pixel_mm
    edge = _outline(rng, look, radius)
    edge /= math.sqrt(float(np.mean(np.square(edge))))  # area of the unit outline = pi
    ry, rx = radius * math.sqrt(look.tall), radius / math.sqrt(look.tall)
    reach_x, reach_y = edge * np.cos(_TURN) * rx, edge * np.sin(_TURN) * ry
    margin = 2.0
    top = max(margin, (gland_mm[0] - 1.5) / pixel_mm)  # a mass may bulge into the fat, never into the skin
    bottom = size - margin
    high_y = min(bottom - reach_y.max(), gland_mm[1] / pixel_mm - 0.6 * reach_y.max())
    low_y, low_x, high_x = top - reach_y.min(), margin - reach_x.min(), size - margin - reach_x.max()
    if low_x > high_x or low_y > bottom - reach_y.max():
        return None
    cy, cx = rng.uniform(low_y, max(high_y, low_y + 1e-3)), rng.uniform(low_x, high_x)

    grid = np.arange(size, dtype=np.float32) + 0.5
    dy, dx = ((grid - cy) / ry)[:, None].astype(np.float32), ((grid - cx) / rx)[None].astype(np.float32)
    angle = np.arctan2(dy, dx)
    index = ((angle + math.pi) * (_ANGLES / (2 * math.pi)) + 0.5).astype(np.int32) % _ANGLES
    outside = np.hypot(dy, dx) - edge.astype(np.float32)[index]  # in radii; < 0 inside
    mask = outside < 0
    distance = outside * min(rx, ry) * pixel_mm  # mm, roughly
    blur = {"circumscribed": 0.3, "indistinct": 1.8}.get(look.margin, 0.6)
    soft = np.clip(0.5 - distance / blur, 0, 1)
    wall_at, wall = (0.3, 0.5) if kind == "cyst" else (0.9, 0.9)
    rim = np.exp(-np.square((distance - wall_at) / wall))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    wide, tall = columns[-1] - columns[0], rows[-1] - rows[0]
    attributes = {
        "shape": look.shape,
        "orientation": "parallel" if wide >= tall else "not parallel",
        "margin": look.margin,
        "echo_pattern": look.echo_pattern,
        "posterior_features": look.posterior,
    }
    return Lesion(mask, attributes, soft.astype(np.float32), rim.astype(np.float32), look, pixel_mm)
