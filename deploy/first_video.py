"""Make a video through a gateway with an unmodified zai-sdk, and fetch it.

    python deploy/first_video.py http://127.0.0.1:8000 sk-... video.mp4

Prints the id of its task; `--task ID` fetches the video of an earlier one again.
"""

import argparse
import sys
import time
from pathlib import Path

import httpx
from zai import ZhipuAiClient

GIVE_UP_SECONDS = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gateway", help="such as http://127.0.0.1:8000")
    parser.add_argument("key", help="a team's key")
    parser.add_argument("file", type=Path, help="where the video goes")
    parser.add_argument("--task", help="fetch the result of this task instead of a new one")
    args = parser.parse_args()

    client = ZhipuAiClient(api_key=args.key, base_url=f"{args.gateway}/api/paas/v4")
    task = args.task
    if task is None:
        prompt = "A paper boat on a quiet lake at dawn"
        task = client.videos.generations(model="cogvideox-3", prompt=prompt).id
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while (answer := client.videos.retrieve_videos_result(id=task)).task_status == "PROCESSING":
        if time.monotonic() > deadline:
            sys.exit(f"task {task} still runs after {GIVE_UP_SECONDS} seconds")
        time.sleep(0.5)
    if answer.task_status != "SUCCESS":
        sys.exit(f"task {task} ended as {answer.task_status}")

    video = httpx.get(answer.video_result[0].url).raise_for_status().content
    if video[4:8] != b"ftyp":
        sys.exit(f"task {task} links to something that is not an MP4")
    args.file.write_bytes(video)
    print(task)


if __name__ == "__main__":
    main()
