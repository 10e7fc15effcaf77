"""From an image file to 8-bit L or RGB pixels: decoded in full, or refused in a sentence.

Rules: 16-bit, 32-bit and float greys are scaled linearly from the image's own minimum and maximum to 0-255; palette,
CMYK and other colour modes become RGB; transparency is laid over black; 1-bit becomes grey. A file with an EXIF
orientation is turned upright, unless boxes come with it: then nobody can know which way up they were drawn.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import EnvError, brief

MAX_PIXELS = 89_478_485  # Pillow's own limit; a larger header is a decompression bomb until somebody says otherwise
_ORIENTATION = 0x0112


def decode(path: Path, where: str, *, has_boxes: bool = False) -> Image.Image:
    """Read an image file as mode L or RGB. `where` begins the error sentence ("labels.csv, row 3, column path").

    Raises:
        EnvError: missing, unreadable, not an image, truncated, more than one frame, over `MAX_PIXELS`, or turned and
            with boxes.
    """
    if not path.is_file():
        raise EnvError(f"{where}: the image {path} does not exist; correct the path or restore the file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                _check_header(opened, path, where, has_boxes)
                opened.load()
                upright = ImageOps.exif_transpose(opened)
                return to_8bit(upright, f"{where}: the image {path}")
    except EnvError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise EnvError(
            f"{where}: the image {path} has more than {MAX_PIXELS} pixels and may be a decompression bomb; downscale "
            "it first."
        ) from None
    except UnidentifiedImageError:
        raise EnvError(f"{where}: {path} is not an image that Pillow can read; convert it to PNG or JPEG.") from None
    except PermissionError:
        raise EnvError(f"{where}: the image {path} cannot be read; check its permissions.") from None
    except Exception as error:  # Pillow's decoders raise anything (SyntaxError, struct.error, ...) on damaged files
        raise EnvError(
            f"{where}: the image {path} is truncated or damaged ({brief(error)}); restore the file."
        ) from error


def _check_header(opened: Image.Image, path: Path, where: str, has_boxes: bool) -> None:
    if opened.width * opened.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    frames = getattr(opened, "n_frames", 1)
    if frames > 1:
        raise EnvError(f"{where}: the image {path} has {frames} frames; export the one that is meant as a PNG.")
    if has_boxes and opened.getexif().get(_ORIENTATION, 1) != 1:
        raise EnvError(
            f"{where}: the image {path} is turned by its EXIF orientation and has boxes, so their frame is ambiguous; "
            "store it upright without the tag and check the boxes."
        )


def to_8bit(image: Image.Image, where: str) -> Image.Image:
    """Mode L or RGB by the rules above.

    Raises:
        EnvError: for a float image with NaN or infinity.
    """
    if image.mode in ("L", "RGB"):
        return image.copy()
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "F" or image.mode.startswith("I"):
        grey = np.asarray(image, dtype=np.float64)
        if not np.isfinite(grey).all():
            raise EnvError(f"{where} holds NaN or infinite values; replace them before use.")
        low, high = grey.min(), grey.max()
        scaled = (grey - low) * (255.0 / (high - low)) if high > low else np.zeros_like(grey)
        return Image.fromarray(np.rint(scaled).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        black = Image.new("RGBA", over.size, (0, 0, 0, 255))
        flat = Image.alpha_composite(black, over)
        return flat.convert("L" if image.mode in ("LA", "La") else "RGB")
    return image.convert("RGB")


def resized(image: Image.Image, size: int | tuple[int, int] | None) -> Image.Image:
    """Bicubic resize: an int is the longest side (the ratio stays), a pair is (width, height), None changes nothing."""
    if size is None:
        return image
    if isinstance(size, int):
        scale = size / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.BICUBIC)


def to_png(image: Image.Image) -> bytes:
    """PNG bytes; speckle hardly compresses, so the fast level."""
    out = io.BytesIO()
    image.save(out, format="PNG", compress_level=1)
    return out.getvalue()
