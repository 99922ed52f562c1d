task = dict(type="drawn", family="blossoms", image_size=32)
