"""Runs in the SDK's own environment: what the SDK makes of our refusals.

python zai_refusals.py BASE_URL API_KEY
"""

import json
import sys

import zai
from zai import ZhipuAiClient

base_url, api_key = sys.argv[1:]


def raised(key, call):
    try:
        call(ZhipuAiClient(base_url=base_url, api_key=key))
    except zai.core.APIStatusError as error:
        return [type(error).__name__, error.response.status_code, str(error)]
    return None


told = {
    "wrong size": raised(
        api_key, lambda c: c.videos.generations(model="cogvideox-3", prompt="a", size="1x1")
    ),
    "wrong key": raised(
        "nobody.key", lambda c: c.videos.generations(model="cogvideox-3", prompt="a")
    ),
    "no such task": raised(
        api_key, lambda c: c.videos.retrieve_videos_result(id="task_0123456789")
    ),
}
sys.stdout.write(json.dumps(told))
