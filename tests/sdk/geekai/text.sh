curl --location --request POST 'https://geekai.co/api/v1/videos/generations' \
--header 'Content-Type: application/json' \
--header 'Authorization: Bearer $GEEKAI_API_KEY' \
--data '{
    "model": "cogvideox-3",
    "prompt": "A cat is playing with a ball.",
    "quality": "quality",
    "with_audio": true,
    "size": "1920x1080",
    "fps": 30
}'
