"""Runs in the environment of zai-sdk or of zhipuai, which have the same `videos`.

    python with_zhipu.py calls BASE_URL API_KEY IMAGE
    python with_zhipu.py refusals CASES

`calls` does everything that the SDK can do; before each call it tells the name on a line and
waits for a line, so that whoever watches the wire knows what the bytes belong to. `refusals` makes
the calls it is given. Both tell what came of each call as a line of JSON.
"""

import base64
import json
import sys
import time
from pathlib import Path

try:
    from zai import ZaiClient
    from zai import ZhipuAiClient as Client
    from zai.core import APIStatusError
except ImportError:
    from zhipuai import APIStatusError
    from zhipuai import ZhipuAI as Client

    ZaiClient = None

# The vendor's three published examples.
COMMON = {
    "model": "cogvideox-3",
    "quality": "quality",
    "with_audio": True,
    "size": "1920x1080",
    "fps": 30,
}
EXAMPLES = {
    "text": {"prompt": "A cat is playing with a ball."},
    "image": {
        "image_url": "https://img.iplaysoft.com/wp-content/uploads/2019/free-images/"
        "free_stock_photo.jpg",
        "prompt": "让画面动起来",
    },
    "first and last frame": {
        "image_url": [
            "https://gd-hbimg.huaban.com/ccee58d77afe8f5e17a572246b1994f7e027657fe9e6-qD66In_fw1200webp",
            "https://gd-hbimg.huaban.com/cc2601d568a72d18d90b2cc7f1065b16b2d693f7fa3f7-hDAwNq_fw1200webp",
        ],
        "prompt": "让画面动起来",
    },
}


def calls(base_url, api_key, image):
    client = Client(base_url=base_url, api_key=api_key)
    made = {}

    def create(name, client=client, **fields):
        made[name] = None
        video = client.videos.generations(**fields)
        made[name] = video.id
        return video

    for name, example in EXAMPLES.items():
        tell(f"create {name}", lambda n=name, e=example: create(n, **COMMON, **e))
        tell(f"retrieve {name} at once", lambda n=name: retrieve(client, made[n]))
    inline = "data:image/png;base64," + base64.b64encode(Path(image).read_bytes()).decode()
    tell(
        "create image inline",
        lambda: create("image inline", model="cogvideox-3", image_url=inline, prompt="动起来"),
    )
    tell(
        "create with everything",
        lambda: create(
            "with everything",
            model="cogvideox-3",
            prompt="A cat",
            duration=10,
            request_id=f"request-{Client.__name__}-{base_url[-2:]}",
            user_id="user-0001",
            extra_body={"async": True, "image": "https://img.example/x.png"},
            extra_headers={"X-Team-Note": "a header of the caller's own"},
        ),
    )
    if ZaiClient is not None:
        overseas = ZaiClient(base_url=base_url, api_key=api_key)
        tell(
            "create by ZaiClient",
            lambda: create("by ZaiClient", overseas, model="cogvideox-3", prompt="A cat"),
        )
    signing = Client(base_url=base_url, api_key=api_key, disable_token_cache=False)
    tell("retrieve with a token", lambda: retrieve(signing, made["text"]))
    for name in EXAMPLES:
        tell(f"retrieve {name} until it ends", lambda n=name: ended(client, made[n]))


def refusals(cases):
    for case in json.loads(cases):
        client = Client(base_url=case["base_url"], api_key=case["api_key"])
        if "task_id" in case:
            tell(case["name"], lambda c=client, i=case["task_id"]: retrieve(c, i))
            continue
        fields = {"model": "cogvideox-3", "prompt": "A cat", **case["fields"]}
        overflow = fields.pop("overflow", None)
        if overflow:
            fields["extra_body"] = {"overflow": overflow}
        tell(case["name"], lambda c=client, f=fields: c.videos.generations(**f))


def retrieve(client, task_id):
    return client.videos.retrieve_videos_result(id=task_id)


def ended(client, task_id):
    deadline = time.monotonic() + 60
    while (video := retrieve(client, task_id)).task_status == "PROCESSING":
        if time.monotonic() > deadline:
            raise TimeoutError(task_id)
        time.sleep(0.3)
    return video


def tell(name, call):
    sys.stdout.write(f"{name}\n")
    sys.stdout.flush()
    sys.stdin.readline()
    try:
        told = call().model_dump()
    except APIStatusError as error:
        told = {
            "raised": type(error).__name__,
            "status": error.response.status_code,
            "message": str(error),
        }
    except Exception as error:
        told = {"raised": type(error).__name__, "message": str(error)}
    sys.stdout.write(json.dumps({"call": name, "told": told}) + "\n")
    sys.stdout.flush()


{"calls": calls, "refusals": refusals}[sys.argv[1]](*sys.argv[2:])
