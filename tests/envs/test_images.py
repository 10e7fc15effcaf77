"""Every image is decoded in full to L or RGB by the documented rules, or refused in a sentence."""

from __future__ import annotations

import io

import numpy as np
import pytest
from medrft.envs import EnvError, images
from PIL import Image

WHERE = "labels.csv, row 3, column path"


def test_sixteen_bit_is_scaled_from_its_own_range(tmp_path):
    grey = np.array([[1000, 2000], [3000, 5096]], dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    made = np.asarray(images.decode(tmp_path / "a.png", WHERE))
    assert made.tolist() == [[0, 62], [125, 255]]  # (v - 1000) * 255 / 4096
    Image.fromarray(np.full((2, 2), 700, dtype=np.uint16)).save(tmp_path / "b.png")
    assert np.asarray(images.decode(tmp_path / "b.png", WHERE)).max() == 0


def test_float_images(tmp_path):
    Image.fromarray(np.array([[0.0, 0.5], [1.0, 1.0]], dtype=np.float32)).save(tmp_path / "a.tiff")
    assert np.asarray(images.decode(tmp_path / "a.tiff", WHERE)).tolist() == [[0, 128], [255, 255]]
    Image.fromarray(np.array([[0.0, np.nan]], dtype=np.float32)).save(tmp_path / "b.tiff")
    with pytest.raises(EnvError, match="holds NaN or infinite values"):
        images.decode(tmp_path / "b.tiff", WHERE)


@pytest.mark.parametrize(
    ("mode", "suffix", "expected"),
    [("L", "png", "L"), ("1", "png", "L"), ("LA", "png", "L"), ("P", "png", "RGB"), ("RGBA", "png", "RGB"),
     ("CMYK", "jpg", "RGB"), ("RGB", "jpg", "RGB"), ("YCbCr", "tiff", "RGB")],
)  # fmt: skip
def test_modes(tmp_path, mode, suffix, expected):
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (8, 8), (10, 200, 30)).convert(mode).save(path)
    assert images.decode(path, WHERE).mode == expected


def test_transparency_lies_over_black(tmp_path):
    Image.new("RGBA", (4, 4), (255, 255, 255, 0)).save(tmp_path / "a.png")
    assert np.asarray(images.decode(tmp_path / "a.png", WHERE)).max() == 0


def test_exif_orientation_is_applied_without_boxes_and_refused_with(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("L", (20, 10)).save(tmp_path / "a.jpg", exif=turned)
    assert images.decode(tmp_path / "a.jpg", WHERE).size == (10, 20)
    with pytest.raises(EnvError, match=r"row 3.*EXIF orientation and has boxes"):
        images.decode(tmp_path / "a.jpg", WHERE, has_boxes=True)


def _truncated(kind: str, share: float) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, kind)
    return out.getvalue()[: int(len(out.getvalue()) * share)]


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "bmp", "webp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files(tmp_path, kind, share):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(_truncated(kind, share))
    with pytest.raises(EnvError, match=rf"{WHERE}: .*(truncated or damaged|not an image)"):
        images.decode(path, WHERE)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM" + b"\xff" * 60])
def test_not_images(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(EnvError, match=WHERE):
        images.decode(path, WHERE)


def test_missing_and_several_frames(tmp_path):
    with pytest.raises(EnvError, match=r"row 3, column path: the image .* does not exist"):
        images.decode(tmp_path / "none.png", WHERE)
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 99)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(EnvError, match="has 2 frames; export the one"):
        images.decode(tmp_path / "a.gif", WHERE)


def test_an_image_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)  # tests may run as root, whom no mode bits stop
    with pytest.raises(EnvError, match=r"a.png cannot be read; check its permissions"):
        images.decode(tmp_path / "a.png", WHERE)


@pytest.mark.parametrize("side", [9_600, 14_000])
def test_decompression_bomb(tmp_path, side):
    """A small file that would unpack into gigabytes; Pillow itself only warns about the first."""
    path = tmp_path / "bomb.png"
    Image.new("1", (side, side)).save(path)
    with pytest.raises(EnvError, match="may be a decompression bomb"):
        images.decode(path, WHERE)


def test_resized():
    image = Image.new("L", (40, 30))
    assert images.resized(image, None) is image
    assert images.resized(image, 80).size == (80, 60)
    assert images.resized(image, (64, 64)).size == (64, 64)
