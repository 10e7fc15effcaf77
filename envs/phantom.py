"""Breast ultrasound phantoms: seeded B-mode images with an exact mask, box, size grade and BI-RADS attributes.

The image is made the way a scanner makes it: complex Gaussian scatterers times an echogenicity map, blurred by a
point-spread function that is narrow along the beam and widens with depth across it, envelope, noise floor, log
compression (fully developed speckle: Wagner et al., IEEE Trans. Sonics Ultrason. 30, 1983). Behind a lesion the beam
has lost more or less energy than its neighbours: that is posterior shadowing and enhancement.

The classes overlap on purpose (a benign mass may shadow, a cyst may hold debris, a carcinoma may be circumscribed).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.fft import fft, fftfreq, ifft
from scipy.ndimage import gaussian_filter1d

from .phantom_lesion import LESIONS, Lesion, LesionKind, draw_lesion

FloatGrid = npt.NDArray[np.float32]

FIELD_MM = 38.4  # the square field of view; 0.6 mm a pixel at 64 x 64
GRADE_MM = (8.0, 12.0, 16.0)  # edges of the size bins: grade 1 < 8 mm <= 2 < 12 mm <= 3 < 16 mm <= 4
MIN_MM, MAX_MM = 5.0, 20.0  # smallest and largest equivalent diameter drawn
MIN_SIZE = 32  # below that a 5 mm lesion is four pixels wide

AXIAL_MM, LATERAL_MM, FOCUS_MM = 0.30, 0.50, 14.0  # sigma of the point-spread function, and where it is narrowest
VIDEO_MM = 0.27  # sigma of the smoothing after detection
NOISE_DB = -40.0

LesionName = Literal["none", "cyst", "benign", "malignant"]


@dataclass(frozen=True)
class Phantom:
    """One simulated frame.

    image: uint8 [H, W]. mask: bool [H, W], the lesion as drawn. box: (x0, y0, x1, y1) in pixels, tight on the mask,
    x1 and y1 exclusive, None without a lesion. grade: 0 without a lesion, else 1-4 by `grade_of` of the mask.
    attributes: BI-RADS ultrasound terms, empty without a lesion. spacing_mm: (row, column) size of a pixel.
    """

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_]
    box: tuple[int, int, int, int] | None
    lesion: LesionName
    grade: int
    attributes: dict[str, str]
    spacing_mm: tuple[float, float]


def equivalent_diameter_mm(mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float]) -> float:
    """Diameter in mm of the disc with the mask's area."""
    return 2.0 * math.sqrt(float(mask.sum()) * spacing_mm[0] * spacing_mm[1] / math.pi)


def grade_of(mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float]) -> int:
    """Size grade of a lesion mask: 0 for an empty mask, else 1-4 by equivalent diameter (edges `GRADE_MM`)."""
    if not mask.any():
        return 0
    return 1 + sum(equivalent_diameter_mm(mask, spacing_mm) >= edge for edge in GRADE_MM)


def simulate(
    seed: int | np.random.SeedSequence | np.random.Generator,
    *,
    size: int = 64,
    lesion: LesionName | None = None,
    grade: int | None = None,
) -> Phantom:
    """Draw one phantom of `size` x `size` pixels; same seed, machine and versions: same bytes.

    `lesion` and `grade` are drawn uniformly where None. Grade 0 and lesion "none" imply each other.

    Raises:
        ValueError: for an unknown lesion, a grade outside 0-4, a pair that contradicts itself, or a size below 32.
    """
    if size < MIN_SIZE:
        raise ValueError(f"expected size >= {MIN_SIZE} but got {size}")
    if lesion is not None and lesion not in LESIONS:
        raise ValueError(f"expected lesion to be one of {', '.join(LESIONS)} but got {lesion!r}")
    if grade is not None and grade not in range(5):
        raise ValueError(f"expected grade 0-4 but got {grade!r}")
    if lesion is not None and grade is not None and (lesion == "none") != (grade == 0):
        raise ValueError(f"lesion {lesion!r} and grade {grade} contradict each other: grade 0 means no lesion")
    rng = np.random.default_rng(seed)
    if lesion is None:
        choices = LESIONS if grade is None else LESIONS[:1] if grade == 0 else LESIONS[1:]
        lesion = choices[int(rng.integers(len(choices)))]
    spacing = FIELD_MM / size
    echo, gland = _tissue(rng, size)
    mask = np.zeros((size, size), dtype=bool)
    attributes: dict[str, str] = {}
    if lesion != "none":
        if grade is None:
            grade = int(rng.integers(1, 5))
        found = _place(rng, lesion, grade, size, gland)
        mask, attributes = found.mask, found.attributes
        echo = found.paint(rng, echo, smooth_field(rng, size, 1.2, 1.8))
    image = _scan(rng, echo)
    return Phantom(image, mask, _tight_box(mask), lesion, grade or 0, attributes, (spacing, spacing))


def _place(rng: np.random.Generator, kind: LesionKind, grade: int, size: int, gland: tuple[float, float]) -> Lesion:
    """A lesion whose drawn mask has exactly the grade asked for; redrawn until it has (rarely needed)."""
    spacing = FIELD_MM / size
    low, high = (MIN_MM, *GRADE_MM)[grade - 1], (*GRADE_MM, MAX_MM)[grade - 1]
    while True:
        diameter = rng.uniform(low + 0.2, high - 0.2)  # rasterising moves the area by a few per cent
        found = draw_lesion(rng, kind, diameter, size, spacing, gland)
        if found is not None and grade_of(found.mask, (spacing, spacing)) == grade:
            return found


def _tight_box(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    xs, ys = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return (int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1) if len(xs) else None


@lru_cache(maxsize=64)
def _basis(size: int, corr_mm: float) -> FloatGrid:
    """[size, knots] Gaussian bumps, rows of unit length: white knots become a smooth curve of unit variance."""
    knots = np.arange(-corr_mm, FIELD_MM + 2 * corr_mm, corr_mm)
    at = (np.arange(size) + 0.5) * FIELD_MM / size
    bumps = np.exp(-0.5 * ((at[:, None] - knots[None]) / (0.6 * corr_mm)) ** 2)
    bumps /= np.linalg.norm(bumps, axis=1, keepdims=True)
    grid: FloatGrid = bumps.astype(np.float32)
    grid.flags.writeable = False
    return grid


def smooth_field(rng: np.random.Generator, size: int, axial_mm: float, lateral_mm: float) -> FloatGrid:
    """[size, size] smooth random field, mean 0, variance 1, with the given correlation lengths."""
    down, across = _basis(size, axial_mm), _basis(size, lateral_mm)
    white = rng.standard_normal((down.shape[1], across.shape[1]), dtype=np.float32)
    field: FloatGrid = (down @ white @ across.T).astype(np.float32, copy=False)
    return field


def _curve(rng: np.random.Generator, size: int, corr_mm: float) -> FloatGrid:
    basis = _basis(size, corr_mm)
    curve: FloatGrid = basis @ rng.standard_normal(basis.shape[1], dtype=np.float32)
    return curve


def _tissue(rng: np.random.Generator, size: int) -> tuple[FloatGrid, tuple[float, float]]:
    """Echogenicity in dB (glandular tissue = 0) of skin, fat, gland and muscle; and the gland's depth range in mm."""
    depth = _depth(size)
    skin = rng.uniform(1.2, 2.0) + 0.15 * _curve(rng, size, 9.0)
    fat_mm = rng.uniform(4.5, 9.0)
    fat = fat_mm + 0.9 * _curve(rng, size, 7.0)
    muscle_mm = rng.uniform(28.0, 34.0)
    muscle = muscle_mm + 0.7 * _curve(rng, size, 12.0)

    coarse = smooth_field(rng, size, 3.0, 5.0)
    septa = np.exp(-np.square(coarse / 0.22))  # bright sheets where the field crosses zero, as Cooper's ligaments
    echo = 2.4 * smooth_field(rng, size, 1.8, 4.0) + 2.0 * smooth_field(rng, size, 5.0, 9.0) + 2.5 * septa
    fatty = 1.2 * coarse + rng.uniform(7, 11) * septa - rng.uniform(11, 15)
    echo = np.where(depth < fat, fatty, echo).astype(np.float32)
    if rng.random() < 0.35:  # a fat lobule in the gland: as dark as fat, blurred, no mass
        y, x = rng.uniform(fat_mm + 2, muscle_mm - 3), rng.uniform(4, FIELD_MM - 4)
        tall, wide = rng.uniform(1.2, 2.6), rng.uniform(2.0, 5.0)
        echo -= rng.uniform(5, 9) * np.exp(-np.square((depth - y) / tall)) * np.exp(-np.square((depth.T - x) / wide))
    below = 2.5 * smooth_field(rng, size, 1.0, 14.0) - rng.uniform(6, 9)
    echo = np.where(depth > muscle, below, echo).astype(np.float32)
    echo += 9.0 * np.exp(-np.square((depth - muscle) / 0.5))  # fascia
    echo = np.where(depth < skin, np.float32(7), echo)
    echo += rng.uniform(-0.22, 0.08) * depth  # what time-gain compensation leaves of the attenuation
    return echo.astype(np.float32), (fat_mm, muscle_mm)


@lru_cache(maxsize=16)
def _depth(size: int) -> FloatGrid:
    """[size, 1] depth of each row in mm."""
    depth: FloatGrid = (((np.arange(size) + 0.5) * FIELD_MM / size)[:, None]).astype(np.float32)
    depth.flags.writeable = False
    return depth


@lru_cache(maxsize=16)
def _lateral_transfer(size: int) -> FloatGrid:
    """[depth, frequency] Gaussian transfer function of the lateral blur, wider away from the focus, unit energy."""
    sigma = LATERAL_MM * np.sqrt(1.0 + np.square((_depth(size) - FOCUS_MM) / 20.0)) * size / FIELD_MM
    transfer = np.exp(-2.0 * np.square(np.pi * sigma * fftfreq(size)[None]))
    transfer /= np.sqrt(np.mean(np.square(transfer), axis=1, keepdims=True))
    grid: FloatGrid = transfer.astype(np.float32)
    grid.flags.writeable = False
    return grid


@lru_cache(maxsize=16)
def _axial_gain(size: int) -> float:
    """What the axial blur must be multiplied with for unit speckle power."""
    impulse = np.zeros(size)
    impulse[size // 2] = 1.0
    kernel = gaussian_filter1d(impulse, AXIAL_MM * size / FIELD_MM)
    return float(1.0 / np.linalg.norm(kernel))


def _scan(rng: np.random.Generator, echo: FloatGrid) -> npt.NDArray[np.uint8]:
    """From echogenicity in dB to the log-compressed 8-bit image."""
    size = len(echo)
    white = rng.standard_normal((4, size, size), dtype=np.float32)
    scatter = white[:2] * np.power(np.float32(10), echo / 20)
    scatter = gaussian_filter1d(scatter, AXIAL_MM * size / FIELD_MM, axis=1, mode="nearest", truncate=3.0)
    beam = ifft(fft(scatter[0] + 1j * scatter[1], axis=1) * _lateral_transfer(size), axis=1)
    floor = 10 ** ((NOISE_DB + rng.uniform(-3, 5)) / 20)
    gain = _axial_gain(size)
    power = np.square(gain * beam.real + floor * white[2]) + np.square(gain * beam.imag + floor * white[3])
    for axis in (0, 1):  # the scanner's video filter: fewer pitch-black speckle nulls
        power = gaussian_filter1d(power, VIDEO_MM * size / FIELD_MM, axis=axis, mode="nearest", truncate=2.5)
    decibel = 10 * np.log10(np.maximum(power / 2, 1e-9))
    dynamic_range, level = rng.uniform(44, 58), rng.uniform(0.55, 0.66)
    image: npt.NDArray[np.uint8] = (np.clip(decibel / dynamic_range + level, 0, 1) * 255).astype(np.uint8)
    return image
