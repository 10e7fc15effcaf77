"""The tiny checkpoint, the rows as workers read them, supervised fine-tuning on them, and what prepare refuses."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from medrft.envs import build, get_env  # noqa: E402
from medrft.recipes import prepare  # noqa: E402
from medrft.recipes import sft as worker  # noqa: E402
from medrft.recipes.prepare import PrepareJob  # noqa: E402
from medrft.recipes.rows import Row, read_rows  # noqa: E402
from medrft.recipes.schema import SFTStage  # noqa: E402
from medrft.recipes.sft import VALIDATE_EVERY, Collator, SFTJob, greedy_accuracy, main  # noqa: E402
from medrft.recipes.tiny import TAGS, TinyModel, build_tiny_qwen3_vl  # noqa: E402

SPEC = TinyModel(image_size=64, vision_hidden=32, vision_depth=2, text_hidden=64, text_depth=1, vocabulary=400)


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("built") / "data"
    overrides = {"answer_format": "answer", "source": {"n": {"train": 24, "val": 4, "test": 4}}}
    build(get_env("phantom-classify@1", overrides), out)
    return out


@pytest.fixture(scope="session")
def tiny(data, tmp_path_factory) -> Path:
    """Built as a run builds it, by the worker's own entry."""
    out = tmp_path_factory.mktemp("tiny") / "model"
    prepare.main(job(data, out))
    return out


def job(data: Path, model: Path, **more) -> PrepareJob:
    return PrepareJob(
        **{
            "model": SPEC,
            "path": str(model),
            "splits": {split: data / f"{split}.parquet" for split in ("train", "val")},
            "max_prompt_tokens": 64,
            "max_response_tokens": 8,
            "seed": 1,
            **more,
        }
    )


def test_the_checkpoint_loads_by_its_released_class(tiny):
    model, info = transformers.AutoModelForImageTextToText.from_pretrained(tiny, output_loading_info=True)
    assert type(model).__name__ == "Qwen3VLForConditionalGeneration"
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    assert model.config.text_config.vocab_size == len(tokenizer)
    assert model.get_input_embeddings().weight.shape[0] == len(tokenizer)


def test_tags_are_single_tokens_that_a_decoded_response_keeps(tiny):
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    for tag in TAGS:
        assert len(tokenizer(tag, add_special_tokens=False).input_ids) == 1
    text = "<think>a mass, 5 mm</think><answer>cyst</answer>"
    ids = tokenizer(text + tokenizer.eos_token, add_special_tokens=False).input_ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_any_text_survives_the_tokenizer(tiny):
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    for text in ("Läsion ≥ 5 mm\n\tBI-RADS 4a", "超音波", "  two  spaces "):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text


def test_seeded(data, tmp_path):
    files = [build_tiny_qwen3_vl(tmp_path / str(n), SPEC, ["a b"] * 9, seed=s) for n, s in enumerate((1, 1, 2))]
    weights = [(folder / "model.safetensors").read_bytes() for folder in files]
    assert weights[0] == weights[1] != weights[2]


def test_rows_are_those_of_the_env(data):
    rows = list(read_rows(data / "train.parquet"))
    assert len(rows) == 24
    assert [row.sample.id for row in read_rows(data / "train.parquet", 5)] == [row.sample.id for row in rows[:5]]
    assert list(read_rows(data / "train.parquet", 0)) == []
    content = rows[0].messages[-1]["content"]
    assert content[0] == {"type": "image"}
    assert [part["type"] for part in content].count("image") == 1
    assert "".join(part.get("text", "<image>") for part in content) == rows[0].prompt[-1]["content"]


def test_labels_are_the_response_and_its_end_alone(tiny, data):
    """Decoded, the tokens that bear loss are the gold response and the end; in a batch of images of several sizes."""
    processor = transformers.AutoProcessor.from_pretrained(tiny)
    rows = list(read_rows(data / "train.parquet", 6))
    sizes = [(64, 64), (32, 32), (64, 32), (48, 64), (32, 64), (16, 16)]

    class Resized:
        def __init__(self, row, size, demonstration):
            self.messages, self.image, self.demonstration = row.messages, row.image.resize(size), demonstration

    answers = [row.demonstration for row in rows[:3]] + [
        "<think>an oval mass</think><answer>cyst</answer>",
        "word",
        " leading space, and much longer than any of the others: 1234567890",
    ]
    batch = Collator(processor)([Resized(*each) for each in zip(rows, sizes, answers, strict=True)])
    for ids, labels, mask, answer in zip(
        batch["input_ids"], batch["labels"], batch["attention_mask"], answers, strict=True
    ):
        kept = labels != -100
        assert torch.equal(ids[kept], labels[kept])
        assert processor.tokenizer.decode(labels[kept]) == answer + processor.tokenizer.eos_token
        length = int(mask.sum())
        assert mask[:length].all(), "padding stands on the right"
        assert kept[length - 1]
        assert not kept[length:].any(), "padding bears no loss, although it may be a token that could"
    lengths = batch["attention_mask"].sum(1).tolist()
    assert len(set(lengths)) > 2, "the batch is padded at all"


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"max_prompt_tokens": 20}, r"row 0 of split 'train' has a prompt of \d+ tokens .* max_prompt_tokens is 20"),
        ({"max_response_tokens": 2}, r"row 0 of split 'train' has a gold response of \d+ tokens, .* is 2; raise it"),
    ],
)
def test_what_does_not_fit_is_refused(tiny, data, limits, sentence):
    with pytest.raises(SystemExit, match=sentence):
        prepare.main(job(data, tiny, **limits))


def test_what_fits_exactly_is_not_refused(tiny, data):
    with pytest.raises(SystemExit) as refused:
        prepare.main(job(data, tiny, max_prompt_tokens=1))
    longest = int(str(refused.value).split("prompt of ")[1].split()[0])
    prepare.main(job(data, tiny, max_prompt_tokens=longest))


def sft(tiny: Path, data: Path, folder: Path, **more) -> Path:
    """Supervised fine-tuning in a folder, as the launcher starts it: a new file of metrics for each attempt."""
    folder.mkdir(exist_ok=True)
    stage = SFTStage(
        **{"name": "warmup", "kind": "sft", "steps": 4, "batch_size": 4, "save_every": 2, "lr_warmup_steps": 0, **more}
    )
    attempt = folder / f"attempt{len(list(folder.glob('attempt*')))}.jsonl"
    main(SFTJob(stage=stage, model=str(tiny), data=data, folder=folder, seed=1, bf16=False, metrics=attempt))
    return folder


@pytest.fixture(scope="session")
def finished(tiny, data, tmp_path_factory) -> Path:
    return sft(tiny, data, tmp_path_factory.mktemp("stages") / "finished")


def weights(model: Path) -> dict:
    from safetensors.torch import load

    return load((model / "model.safetensors").read_bytes())  # not load_file: a map would change with its file


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.allclose(a[key], b[key], atol=1e-6) for key in a)


def test_sft_goes_on_as_if_it_had_not_been_interrupted(tiny, data, finished, tmp_path):
    """Killed with the checkpoint of step 2 whole and the next one half-written: the same weights in the end."""
    assert not same(weights(finished / "final"), weights(tiny)), "it learned something"
    broken = shutil.copytree(finished, tmp_path / "broken")
    shutil.rmtree(broken / "final")
    (broken / "checkpoints" / "checkpoint-4" / "trainer_state.json").unlink()
    sft(tiny, data, broken)
    assert same(weights(broken / "final"), weights(finished / "final"))
    steps = [json.loads(line)["step"] for line in (broken / "attempt1.jsonl").read_text().splitlines()]
    assert steps == [3, 4]


@pytest.mark.parametrize("left", ["final", "final.partial", "nothing"])
def test_sft_killed_at_the_very_end(tiny, data, finished, tmp_path, left):
    """All steps are done, and what the launcher waits for is there, is half there, or is not."""
    folder = shutil.copytree(finished, tmp_path / "a")
    if left == "final.partial":
        (folder / "final").rename(folder / "final.partial")
        (folder / "final.partial" / "model.safetensors").write_bytes(b"half")
    if left == "nothing":
        shutil.rmtree(folder / "final")
    sft(tiny, data, folder)
    assert same(weights(folder / "final"), weights(finished / "final")), "no step was done twice"
    assert not (folder / "final.partial").exists()


def test_accumulated_micro_batches_are_one_batch(tiny, data, finished, tmp_path):
    parts = sft(tiny, data, tmp_path / "parts", micro_batch_size=2)
    a, b = weights(finished / "final"), weights(parts / "final")
    assert all(torch.allclose(a[key], b[key], atol=5e-4) for key in a)


def resized(row: Row, size: tuple[int, int]) -> Row:
    stream = io.BytesIO()
    row.image.resize(size, Image.Resampling.BILINEAR).save(stream, "PNG")
    return replace(row, png=stream.getvalue())


def logged(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "attempt0.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def half_learned(tiny, data, tmp_path_factory) -> Path:
    """Ended as soon as one of the four validation answers is right: it knows the form, and answers by the class."""
    folder = tmp_path_factory.mktemp("stages") / "half"
    return sft(tiny, data, folder, steps=200, batch_size=8, lr=2e-3, save_every=1000, stop_at_accuracy=0.25)


def test_accuracy_is_what_greedy_decoding_gives(half_learned, data, monkeypatch):
    """Token by token through `generate`, one row at a time, images of several sizes: an independent way to it."""
    monkeypatch.setattr(worker, "VALIDATION_BATCH", 7)  # a last batch that is smaller than the others
    processor = transformers.AutoProcessor.from_pretrained(half_learned / "final")
    model = transformers.AutoModelForImageTextToText.from_pretrained(half_learned / "final")
    sizes = [(64, 64), (48, 64), (64, 32), (32, 32)]
    rows = [resized(row, sizes[n % 4]) for n, row in enumerate(read_rows(data / "train.parquet"))]
    right = 0
    for row in rows:
        prompt = processor.apply_chat_template(row.messages, add_generation_prompt=True, tokenize=False)
        inputs = processor(text=[prompt], images=[row.image], return_tensors="pt")
        said = model.eval().generate(**inputs, do_sample=False, max_new_tokens=24)[0, inputs["input_ids"].shape[1] :]
        right += processor.tokenizer.decode(said) == row.demonstration + processor.tokenizer.eos_token
    assert 0 < right < len(rows), "both kinds are there, so the comparison says something"
    model.train()
    assert greedy_accuracy(model, Collator(processor), rows) == right / len(rows)
    assert model.training, "as it was"
    assert all(parameter.grad is None for parameter in model.parameters())


def test_it_ends_at_the_wanted_accuracy(half_learned, data):
    steps = logged(half_learned)
    last = steps[-1]["step"]
    assert last < 200
    assert last % VALIDATE_EVERY == 0
    assert [each["step"] for each in steps] == list(range(1, last + 1))
    measured = {each["step"]: each["data"]["sft/val_accuracy"] for each in steps if "sft/val_accuracy" in each["data"]}
    assert list(measured) == list(range(VALIDATE_EVERY, last + 1, VALIDATE_EVERY))
    *before, reached = measured.values()
    assert max(before, default=0) < 0.25 <= reached
    model = transformers.AutoModelForImageTextToText.from_pretrained(half_learned / "final")
    collator = Collator(transformers.AutoProcessor.from_pretrained(half_learned / "final"))
    assert greedy_accuracy(model, collator, list(read_rows(data / "val.parquet"))) == reached, "those very weights"


@pytest.mark.parametrize(("wanted", "steps"), [(0.75, 5), (0.5, 4), (0.1, 2)])
def test_the_first_measurement_that_suffices_ends_it(tiny, data, tmp_path, monkeypatch, wanted, steps):
    found = iter([0.25, 0.5])
    monkeypatch.setattr(worker, "VALIDATE_EVERY", 2)
    monkeypatch.setattr(worker, "greedy_accuracy", lambda model, collator, rows: next(found))
    folder = sft(tiny, data, tmp_path / "a", steps=5, save_every=1000, stop_at_accuracy=wanted)
    assert [each["step"] for each in logged(folder)] == list(range(1, steps + 1))
    accuracies = [each["data"].get("sft/val_accuracy") for each in logged(folder)]
    assert accuracies == [{2: 0.25, 4: 0.5}.get(step) for step in range(1, steps + 1)]
    assert (folder / "final" / "model.safetensors").exists()


def test_without_it_nothing_is_validated(tiny, data, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "greedy_accuracy", lambda *_: pytest.fail("validated"))
    only = tmp_path / "data"
    only.mkdir()
    shutil.copy(data / "train.parquet", only)  # no val.parquet at all
    folder = sft(tiny, only, tmp_path / "a", steps=6, save_every=1000)
    assert [each["step"] for each in logged(folder)] == list(range(1, 7))
    assert all("sft/val_accuracy" not in each["data"] for each in logged(folder))
