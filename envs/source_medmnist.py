"""MedMNIST npz files (Yang et al., Scientific Data 10:41, 2023; medmnist.com), by their official splits."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from .errors import EnvError, brief, did_you_mean
from .paths import expand
from .record import Entry, Record
from .spec import MedMnistSpec

SPLITS = ("train", "val", "test")

# Names in the order of the label numbers, after medmnist.com; long ones are shortened to what an answer can hold.
CLASS_NAMES: dict[str, tuple[str, ...]] = {
    "retinamnist": ("0", "1", "2", "3", "4"),
    "breastmnist": ("malignant", "non-malignant"),
    "pneumoniamnist": ("normal", "pneumonia"),
    "octmnist": ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
    "bloodmnist": (
        "basophil",
        "eosinophil",
        "erythroblast",
        "immature granulocyte",
        "lymphocyte",
        "monocyte",
        "neutrophil",
        "platelet",
    ),
    "dermamnist": (
        "actinic keratosis",
        "basal cell carcinoma",
        "benign keratosis",
        "dermatofibroma",
        "melanoma",
        "melanocytic nevus",
        "vascular lesion",
    ),
    "organamnist": (
        "bladder",
        "left femur",
        "right femur",
        "heart",
        "left kidney",
        "right kidney",
        "liver",
        "left lung",
        "right lung",
        "pancreas",
        "spleen",
    ),
    "tissuemnist": (
        "collecting duct",
        "distal convoluted tubule",
        "glomerular endothelial cell",
        "interstitial endothelial cell",
        "leukocyte",
        "podocyte",
        "proximal tubule",
        "thick ascending limb",
    ),
}


class MedMnistSource:
    """Reads labels at once and a split's images when the first of them is asked for."""

    def __init__(self, spec: MedMnistSpec) -> None:
        self.path = expand(spec.path)
        self.flag = spec.flag or self.path.stem.split("_")[0]
        self._headers = _headers(self.path)
        self._images: tuple[str, npt.NDArray[np.uint8]] | None = None
        self._labels = {split: self._read_labels(split) for split in SPLITS}
        highest = max(int(labels.max()) for labels in self._labels.values())
        self._names = self._class_names(spec, highest)

    def _class_names(self, spec: MedMnistSpec, highest: int) -> tuple[str, ...]:
        names = spec.labels or CLASS_NAMES.get(self.flag)
        if names is None:
            near = did_you_mean(self.flag, CLASS_NAMES)
            raise EnvError(
                f"the class names of {self.flag!r} are not known{near}; set source.labels to the names in label order, "
                f"or source.flag to one of {', '.join(CLASS_NAMES)}."
            )
        if highest >= len(names):
            raise EnvError(
                f"{self.path}: label {highest} occurs but only {len(names)} class names are known; set source.labels "
                "to one name a label, in order."
            )
        return names

    @property
    def splits(self) -> tuple[str, ...]:
        return SPLITS

    @property
    def labels(self) -> tuple[str, ...]:
        return self._names

    def entries(self, split: str) -> Iterator[Entry]:
        for index, label in enumerate(self._labels[split]):
            yield Entry(f"{self.flag}-{split}-{index}", split, index, self._names[label], int(label))

    def read(self, entry: Entry) -> Record:
        return Record(entry, Image.fromarray(self._split_images(entry.split)[entry.index]))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_images": None}  # a worker reads its own copy; pickling gigabytes would be slower

    def _read_labels(self, split: str) -> npt.NDArray[np.int64]:
        name = f"{split}_labels"
        shape, dtype = self._header(name)
        count = self._header(f"{split}_images")[0][0]
        if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)) or dtype.kind not in "iu":
            raise EnvError(
                f"{self.path}: expected {name} to be integers of shape [N, 1] but got {dtype} {list(shape)}; "
                "multi-label sets are not supported, choose a single-label one."
            )
        if shape[0] != count or not count:
            raise EnvError(
                f"{self.path}: {split}_images holds {count} images but {name} holds {shape[0]} labels; both must be "
                "equal and above 0, download the file again."
            )
        labels = self._array(name).reshape(-1).astype(np.int64)
        if labels.min() < 0:
            raise EnvError(f"{self.path}: {name} holds the negative label {labels.min()}; download the file again.")
        return labels

    def _split_images(self, split: str) -> npt.NDArray[np.uint8]:
        if self._images is None or self._images[0] != split:
            self._images = None  # free the other split before this one is read
            self._images = (split, self._array(f"{split}_images"))
        return self._images[1]

    def _header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        if name not in self._headers:
            near = did_you_mean(name, self._headers)
            raise EnvError(
                f"{self.path} has no array {name}{near}; a MedMNIST file has train, val and test _images and _labels."
            )
        shape, dtype = self._headers[name]
        if dtype.hasobject:
            raise EnvError(
                f"{self.path}: {name} holds Python objects, which are never unpickled; save it as plain numbers."
            )
        if name.endswith("_images") and not (
            dtype == np.uint8 and (len(shape) == 3 or (len(shape) == 4 and shape[-1] == 3)) and min(shape[1:]) > 0
        ):
            raise EnvError(
                f"{self.path}: expected {name} to be uint8 of shape [N, H, W] or [N, H, W, 3] but got {dtype} "
                f"{list(shape)}; 3-D sets are not supported."
            )
        return shape, dtype

    def _array(self, name: str) -> npt.NDArray[Any]:
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                array: npt.NDArray[Any] = archive[name]
                return array
        except Exception as error:  # damaged bytes again; MemoryError where a damaged header claims a huge array
            raise EnvError(
                f"{self.path}: {name} is truncated or damaged ({brief(error)}); download the file again."
            ) from error


def _headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of every array, without reading the arrays."""
    if not path.is_file():
        raise EnvError(
            f"the MedMNIST file {path} does not exist; download it from medmnist.com or correct source.path."
        )
    headers = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if not member.endswith(".npy"):
                    continue
                with archive.open(member) as stream:
                    npy: Any = np.lib.format  # has no types for these
                    version = npy.read_magic(stream)
                    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                    shape, _, dtype = read(stream)
                headers[member.removesuffix(".npy")] = (shape, dtype)
    except Exception as error:  # zipfile and numpy raise anything on damaged bytes
        raise EnvError(
            f"{path} is not a readable npz file, or it is truncated ({brief(error)}); download it again from "
            "medmnist.com."
        ) from error
    return headers
