"""One path for both vendors' fields: whoever uses geekai's gets geekai's words back."""

from __future__ import annotations

from gateway.dialects.bigmodel import BigModelDialect
from gateway.dialects.contract import Body, Dialect, Operation, Route
from gateway.dialects.fields import read_json, submission_of
from gateway.dialects.geekai import GeekAIDialect
from gateway.domain.submission import Submission

# Names that only geekai has.
_GEEKAIS = {"image", "async", "watermark", "retries", "extra_body"}


class UnifiedDialect(BigModelDialect):
    """bigmodel's words, but for who asks in geekai's."""

    name = "unified"

    def __init__(self, bigmodel: BigModelDialect, geekai: GeekAIDialect) -> None:
        self._bigmodel = bigmodel
        self._geekai = geekai
        create = "make a video; takes the fields of both vendors"
        self.routes = (
            Route(
                "POST",
                "/v1/videos/generations",
                Operation.CREATE,
                create,
                {
                    "text": {"model": "cogvideox-3", "prompt": "A cat is playing with a ball."},
                    "first frame, in geekai's words, and wait": {
                        "model": "cogvideox-3",
                        "prompt": "让画面动起来",
                        "image": "https://cdn.bigmodel.cn/markdown/1752547801491cogvideo4.png",
                        "async": False,
                    },
                },
            ),
            Route("POST", "/videos/generations", Operation.CREATE, create, listed=False),
            Route(
                "POST",
                "/v1/videos/{task_id}/cancel",
                Operation.CANCEL,
                "want a video no more; the answer is in bigmodel's words",
            ),
        )

    def parse(self, body: Body) -> tuple[Submission, Dialect]:
        said = read_json(body.content)
        words: Dialect = self._geekai if said.said() & _GEEKAIS else self._bigmodel
        return submission_of(said), words
