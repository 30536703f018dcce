"""Runs in the environment of some version of openai for Python.

    python with_openai.py calls BASE_URL API_KEY IMAGE
    python with_openai.py refusals CASES

`calls` does everything that the SDK can do; before each call it tells the name on a line and
waits for a line, so that whoever watches the wire knows what the bytes belong to. `refusals` makes
the calls it is given. Both tell what came of each call as a line of JSON.
"""

import json
import sys
from pathlib import Path

import openai

MODEL = "cogvideox-3"
FIRST, LAST = "https://img.example/first.jpg", "https://img.example/last.jpg"


def calls(base_url, api_key, image):
    client = openai.OpenAI(base_url=base_url, api_key=api_key)
    videos = client.videos
    ids = {}

    def create(name, **fields):
        def call():
            video = videos.create(**fields)
            ids[name] = video.id
            return video

        tell(f"create {name}", call)

    cat = "A cat is playing with a ball."
    create("text", model=MODEL, prompt=cat, seconds="5", size="1920x1080")
    create("from a prompt alone", prompt=cat)
    png = Path(image).read_bytes()
    create(
        "image",
        model=MODEL,
        prompt="让画面动起来",
        seconds="5",
        size="1920x1080",
        input_reference=("first.png", png, "image/png"),
    )
    create("image by path", model=MODEL, prompt="x", input_reference=Path(image))
    with Path(image).open("rb") as opened:
        create("image opened", model=MODEL, prompt="x", input_reference=opened)
    create("image by link", model=MODEL, prompt="x", extra_body={"image_url": FIRST})
    create("image by link, OpenAI's way", prompt="x", input_reference={"image_url": FIRST})
    create(
        "first and last frame",
        model=MODEL,
        prompt="x",
        extra_body={
            "image_url": [FIRST, LAST],
            "quality": "quality",
            "with_audio": True,
            "fps": 60,
            "duration": 10,
            "watermark_enabled": False,
        },
    )
    tell("create and poll", lambda: videos.create_and_poll(model=MODEL, prompt="x"))
    tell("poll", lambda: videos.poll(ids["text"]))
    tell("poll at an interval", lambda: videos.poll(ids["image"], poll_interval_ms=500))
    tell("retrieve", lambda: videos.retrieve(ids["text"]))
    tell("list", lambda: videos.list())
    tell("list from one on", lambda: videos.list(after=ids["image"], limit=2, order="desc"))
    tell("list all", lambda: {"ids": [video.id for video in videos.list(limit=3)]})
    tell("list all, oldest first", lambda: {"ids": [v.id for v in videos.list(order="asc")]})
    tell("download", lambda: file(videos.download_content(ids["text"])))
    for variant in ("thumbnail", "spritesheet"):
        tell(
            f"download {variant}",
            lambda v=variant: file(videos.download_content(ids["text"], variant=v)),
        )
    tell("remix", lambda: videos.remix(ids["text"], prompt="x"))
    tell("edit", lambda: videos.edit(prompt="x", video=("clip.mp4", b"clip", "video/mp4")))
    tell(
        "extend",
        lambda: videos.extend(prompt="x", seconds="4", video=("clip.mp4", b"clip", "video/mp4")),
    )
    tell(
        "create a character",
        lambda: videos.create_character(name="n", video=("clip.mp4", b"clip", "video/mp4")),
    )
    tell("get a character", lambda: videos.get_character("char_1"))
    tell(
        "post to generations",
        lambda: client.post(
            "/videos/generations",
            body={"model": MODEL, "prompt": "x", "image": FIRST},
            cast_to=object,
        ),
    )
    tell("models", lambda: {"ids": [model.id for model in client.models.list()]})
    tell("delete", lambda: videos.delete(ids["text"]))
    tell("retrieve deleted", lambda: videos.retrieve(ids["text"]))


def refusals(cases):
    for case in json.loads(cases):
        videos = openai.OpenAI(base_url=case["base_url"], api_key=case["api_key"]).videos
        if "task_id" in case:
            tell(case["name"], lambda v=videos, i=case["task_id"]: v.retrieve(i))
            continue
        fields = {"model": MODEL, "prompt": "A cat", **case["fields"]}
        overflow = fields.pop("overflow", None)
        if overflow:
            fields["extra_body"] = {"overflow": overflow}
        tell(case["name"], lambda v=videos, f=fields: v.create(**f))


def file(content):
    data = content.read()
    return {"bytes": len(data), "head": data[:16].hex()}


def plain(value):
    if isinstance(value, openai.BaseModel):
        return {"class": type(value).__name__, **value.model_dump()}
    return value


def tell(name, call):
    sys.stdout.write(f"{name}\n")
    sys.stdout.flush()
    sys.stdin.readline()
    try:
        told = plain(call())
    except openai.APIStatusError as error:
        told = {
            "raised": type(error).__name__,
            "status": error.status_code,
            "code": error.code,
            "type": error.type,
            "param": error.param,
            "message": str(error),
            "request_id": error.request_id,
        }
    except Exception as error:
        told = {"raised": type(error).__name__, "message": str(error)}
    sys.stdout.write(json.dumps({"call": name, "told": told}) + "\n")
    sys.stdout.flush()


{"calls": calls, "refusals": refusals}[sys.argv[1]](*sys.argv[2:])
