"""Runs in the SDK's own environment: the vendor's three published examples, unmodified but for
`base_url` and `api_key`. Prints what the SDK gave back as JSON.

    python zai_examples.py BASE_URL API_KEY
"""

import json
import sys
import time

from zai import ZhipuAiClient

client = ZhipuAiClient(base_url=sys.argv[1], api_key=sys.argv[2])

common = {
    "model": "cogvideox-3",
    "quality": "quality",
    "with_audio": True,
    "size": "1920x1080",
    "fps": 30,
}
examples = [
    {"prompt": "A cat is playing with a ball."},
    {
        "image_url": "https://img.iplaysoft.com/wp-content/uploads/2019/free-images/"
        "free_stock_photo.jpg",
        "prompt": "让画面动起来",
    },
    {
        "image_url": [
            "https://gd-hbimg.huaban.com/ccee58d77afe8f5e17a572246b1994f7e027657fe9e6-qD66In_fw1200webp",
            "https://gd-hbimg.huaban.com/cc2601d568a72d18d90b2cc7f1065b16b2d693f7fa3f7-hDAwNq_fw1200webp",
        ],
        "prompt": "让画面动起来",
    },
]

told = []
for example in examples:
    response = client.videos.generations(**common, **example)
    running = client.videos.retrieve_videos_result(id=response.id)
    result = running
    deadline = time.monotonic() + 60
    while result.task_status == "PROCESSING" and time.monotonic() < deadline:
        time.sleep(0.1)
        result = client.videos.retrieve_videos_result(id=response.id)
    told.append(
        {
            "created": response.model_dump(),
            "status_at_once": running.task_status,
            "status": result.task_status,
            "url": result.video_result[0].url,
            "cover": result.video_result[0].cover_image_url,
        }
    )
sys.stdout.write(json.dumps(told))
