"""The recipe: one YAML file that says what is trained, on what, for which reward, and how it is measured."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from medrft.rewards import RewardSpec, as_spec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from .errors import did_you_mean
from .tiny import TinyModel

NAME = r"^[a-z][a-z0-9_-]{0,39}$"
Name = Annotated[str, Field(pattern=NAME)]
Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, le=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _truth_is_no_number(cls, data: Any) -> Any:
        for key, value in data.items() if isinstance(data, dict) else ():
            field = cls.model_fields.get(key)
            if isinstance(value, bool) and field is not None and field.annotation is not bool:
                said = str(value).lower()
                raise ValueError(f"{key}: expected a number or text, but YAML reads this as {said}")
        return data


class EnvRef(_Model):
    """A registered env by id, with any part of its spec overridden."""

    id: str
    overrides: dict[str, Any] = {}


class PretrainedModel(_Model):
    """A Hugging Face folder on this machine, or a model id where the network allows."""

    path: str = Field(min_length=1)


def _which_model(value: Any) -> str:
    """A folder if it says `path`, else the tiny one: so a fault is told in the words of the model that was meant."""
    return "PretrainedModel" if isinstance(value, PretrainedModel) or "path" in _keys(value) else "TinyModel"


def _keys(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, dict) else ()


Model = Annotated[
    Annotated[TinyModel, Tag("TinyModel")] | Annotated[PretrainedModel, Tag("PretrainedModel")],
    Discriminator(_which_model),
]


class _Stage(_Model):
    name: Name
    init: Name | None = Field(
        default=None, description="the stage whose weights it starts from; the model itself if absent"
    )
    split: str = "train"
    limit: Positive | None = Field(default=None, description="use only the first rows of the split")
    save_every: Positive = 20


class SFTStage(_Stage):
    """Supervised fine-tuning on the gold responses, by the Hugging Face Trainer."""

    kind: Literal["sft"]
    steps: Positive
    batch_size: Positive = 32
    micro_batch_size: Positive | None = Field(default=None, description="rows a forward pass; the rest by accumulation")
    lr: Rate = 1e-3
    lr_schedule: Literal["linear", "constant", "cosine"] = "linear"
    lr_warmup_steps: int = Field(default=20, ge=0)
    weight_decay: float = Field(default=0.05, ge=0)
    stop_at_accuracy: float | None = Field(
        default=None, gt=0, le=1, description="end before `steps` once greedy accuracy on split `val` reaches this"
    )

    @model_validator(mode="after")
    def _divides(self) -> SFTStage:
        if self.micro_batch_size and self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of micro_batch_size {self.micro_batch_size}"
            )
        return self


class RFTStage(_Stage):
    """Reinforcement fine-tuning by `verl.trainer.main_ppo`: GRPO, rollouts by vLLM."""

    kind: Literal["rft"]
    steps: Positive
    prompts: Positive = Field(default=64, description="prompts a step")
    rollouts: int = Field(default=4, ge=2, description="responses a prompt: the group")
    minibatch: Positive | None = Field(default=None, description="prompts an optimiser step; all of them if absent")
    lr: Rate = 2e-4
    lr_warmup_steps: int = Field(default=8, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    kl: float = Field(default=0.1, ge=0, description="weight of the low-variance KL to the stage's start")
    normalise_std: bool = Field(default=False, description="divide advantages by the group's standard deviation")
    temperature: float = Field(default=1.0, gt=0)
    validate_every: int = Field(default=0, ge=0, description="greedy validation every so many steps; 0: never")
    verl: dict[str, Any] = Field(default={}, description="any of verl's own keys, dotted, applied last")

    @model_validator(mode="after")
    def _sizes_divide(self) -> RFTStage:
        if self.minibatch and self.prompts % self.minibatch:
            raise ValueError(f"prompts {self.prompts} is not a multiple of minibatch {self.minibatch}")
        return self


Stage = Annotated[SFTStage | RFTStage, Field(discriminator="kind")]


class Evaluation(_Model):
    """Greedy evaluation through vLLM, all checkpoints on the same held-out images, once, when training is over."""

    split: str = "test"
    limit: Positive | None = None
    before: Name
    after: Name
    compare: tuple[Name, ...] = Field(default=(), description="stages shown beside, e.g. an SFT control")
    blank: bool = Field(default=True, description="also give `after` blank images: does it look at them at all")
    resamples: int = Field(default=5000, ge=1000, description="bootstrap resamples")


class Timeouts(_Model):
    """Seconds without progress after which a stage is ended with a message."""

    start: Positive = 600
    step: Positive | None = Field(default=None, description="default: 180 on the cpu profile, 1800 on gpu")


class Resources(_Model):
    """What the run may use on each machine."""

    nodes: Positive = 1
    gpus_per_node: Positive = 1
    free_disk_gb: float = Field(default=2.0, ge=0)
    dashboard_port: int | None = Field(default=None, ge=1024, le=65535, description="Ray's dashboard; off if absent")


class Recipe(_Model):
    """One experiment."""

    name: Name
    about: str = ""
    seed: int = Field(default=1, ge=0)
    profile: Literal["cpu", "gpu"] = "cpu"
    env: EnvRef
    model: Model = TinyModel()
    reward: Annotated[RewardSpec, BeforeValidator(as_spec)]
    max_prompt_tokens: Positive = Field(default=96, description="image tokens count too")
    max_response_tokens: Positive = 32
    stages: tuple[Stage, ...] = Field(min_length=1)
    eval: Evaluation | None = None
    timeouts: Timeouts = Timeouts()
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _stages_refer_backwards(self) -> Recipe:
        seen: list[str] = []
        for stage in self.stages:
            if stage.name in seen:
                raise ValueError(f"two stages are named '{stage.name}'")
            if stage.init and stage.init not in seen:
                raise ValueError(
                    f"stage '{stage.name}' starts from '{stage.init}', which is not a stage before it."
                    + (did_you_mean(stage.init, seen) if seen else "")
                )
            seen.append(stage.name)
        if self.eval:
            if self.eval.split in {stage.split for stage in self.stages} | {"val"}:
                raise ValueError(f"eval.split '{self.eval.split}' is trained or chosen on, so it is not held out")
            for name in (self.eval.before, self.eval.after, *self.eval.compare):
                if name not in seen:
                    raise ValueError(f"eval names stage '{name}', which the recipe has not." + did_you_mean(name, seen))
        return self

    def stage(self, name: str) -> SFTStage | RFTStage:
        return next(stage for stage in self.stages if stage.name == name)
