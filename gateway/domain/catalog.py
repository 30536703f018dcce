"""The models: what each accepts, what each costs. Judged here before a slot or a fen is spent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from gateway.domain.errors import InvalidField, MissingField, PromptTooLong, UnknownModel
from gateway.domain.video import VideoRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model. An empty collection of choices means that the model takes no such field."""

    name: str
    price_fen: int
    limit: int | None = None
    """Tasks in flight on each account; None: what the account's tier says."""
    providers: tuple[str, ...] = ("bigmodel",)
    """Who offers it, the one that is to be named first in front."""
    qualities: tuple[str, ...] = ("speed", "quality")
    sizes: tuple[str, ...] = ()
    fps: tuple[int, ...] = ()
    durations_seconds: tuple[int, ...] = ()
    max_images: int = 1
    max_prompt_characters: int = 512
    expected_seconds: tuple[float, float] | None = None
    """The shortest and the longest that a vendor usually takes; None: nobody said."""

    def check(self, request: VideoRequest) -> None:
        """Refuse what this model cannot make.

        Raises:
            MissingField: neither a prompt nor an image.
            PromptTooLong: more characters than the model reads; never cut silently.
            InvalidField: a value that is not among the model's; the message lists those.
        """
        if not request.prompt and not request.images:
            raise MissingField("give a prompt, an image, or both", param="prompt")
        length = len(request.prompt or "")
        if length > self.max_prompt_characters:
            raise PromptTooLong(
                f"prompt has {length} characters; {self.name} takes at most "
                f"{self.max_prompt_characters}",
                param="prompt",
            )
        if len(request.images) > self.max_images:
            raise InvalidField(
                f"{self.name} takes at most {self.max_images} images, not {len(request.images)}",
                param="image",
            )
        self._choice("quality", request.quality, self.qualities)
        self._choice("size", request.size, self.sizes)
        self._choice("fps", request.fps, self.fps)
        self._choice("duration", request.duration_seconds, self.durations_seconds)

    def _choice(self, field: str, value: object, choices: Collection[object]) -> None:
        if value is None or value in choices:
            return
        if not choices:
            raise InvalidField(f"{self.name} takes no {field}", param=field)
        listed = ", ".join(str(choice) for choice in choices)
        raise InvalidField(f"{field} must be one of {listed} for {self.name}", param=field)


# https://docs.bigmodel.cn/api-reference/模型-api/视频生成异步 (fields and their values) and
# https://docs.bigmodel.cn/cn/guide/models/video-generation/cogvideox-3 (1 yuan a video, limits).
# geekai sells the same model: https://docs.geekai.co, page CogVideoX-3.
COGVIDEOX_3 = ModelSpec(
    name="cogvideox-3",
    price_fen=100,
    providers=("bigmodel", "geekai"),
    sizes=(
        "1280x720",
        "720x1280",
        "1024x1024",
        "1920x1080",
        "1080x1920",
        "2048x1080",
        "3840x2160",
    ),
    fps=(30, 60),
    durations_seconds=(5, 10),
    max_images=2,
)


class Catalog:
    """All models that this gateway offers: the built-in one and those of the settings."""

    def __init__(
        self,
        extra: Iterable[ModelSpec] = (),
        expected_seconds: Mapping[str, tuple[float, float]] = MappingProxyType({}),
    ) -> None:
        """`expected_seconds` says, by model, how long a task takes where this is known."""
        self._models = {
            spec.name: replace(
                spec, expected_seconds=expected_seconds.get(spec.name, spec.expected_seconds)
            )
            for spec in (COGVIDEOX_3, *extra)
        }

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self._models.values())

    def find(self, name: str) -> ModelSpec:
        """Return the model of this name.

        Raises:
            UnknownModel: it is not offered here; the message lists what is.
        """
        spec = self._models.get(name)
        if spec is None:
            offered = ", ".join(sorted(self._models))
            raise UnknownModel(f"this model is not offered here; there is {offered}", param="model")
        return spec
