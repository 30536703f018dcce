#!/usr/bin/env bash
# Makes the videos and covers that the simulator serves, beside itself. What it makes is committed,
# so nobody needs it to run the simulator. It needs ffmpeg with libx264 and libwebp:
#   apt-get install -y --no-install-recommends ffmpeg
set -euo pipefail
cd "$(dirname "$0")"

# name, width x height: one variant for each orientation that a client can ask for.
variants="landscape 640x360
portrait 360x640
square 480x480"

# Everything that the filter would otherwise draw at random, so that two runs make the same bytes.
colours="n=3:c0=0x12355b:c1=0xe4572e:c2=0xf3d9b1:x0=0:y0=0:x1=360:y1=360:speed=0.03:seed=1"

ffmpeg() { command ffmpeg -hide_banner -loglevel error -y -bitexact "$@"; }

while read -r name size; do
  # Drifting colours show at a glance that it plays. `+faststart` puts the index (moov) before the
  # pictures, so that a browser starts at once and seeks by Range.
  ffmpeg -f lavfi -i "gradients=size=$size:rate=30:duration=3:$colours" \
    -c:v libx264 -preset veryslow -crf 34 -pix_fmt yuv420p -flags:v +bitexact \
    -movflags +faststart "$name.mp4" </dev/null
  for format in png jpg webp; do
    ffmpeg -i "$name.mp4" -frames:v 1 -vf "scale=iw/4:ih/4" -update 1 "$name.$format" </dev/null
  done
done <<<"$variants"
