curl --location --request POST 'https://geekai.co/api/v1/videos/generations' \
--header 'Content-Type: application/json' \
--header 'Authorization: Bearer $GEEKAI_API_KEY' \
--data '{
    "model": "cogvideox-3",
    "prompt": "让画面动起来",
    "image": "https://img.iplaysoft.com/wp-content/uploads/2019/free-images/free_stock_photo.jpg",
    "quality": "quality",
    "with_audio": true,
    "size": "1920x1080",
    "fps": 30
}'
