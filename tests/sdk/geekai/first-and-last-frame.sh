curl --location --request POST 'https://geekai.co/api/v1/videos/generations' \
--header 'Content-Type: application/json' \
--header 'Authorization: Bearer $GEEKAI_API_KEY' \
--data '{
    "model": "cogvideox-3",
    "prompt": "让画面动起来", 
    "image": [ "https://cdn.bigmodel.cn/markdown/1752547801491cogvideo4.png", "https://cdn.bigmodel.cn/markdown/1752547813297cogvideo5.png" ]
    "quality": "speed", 
    "with_audio": true,
    "size": "1920x1080", 
    "fps": 30,
}'
