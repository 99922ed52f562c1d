task = dict(type="drawn", family="shapes", image_size=32)
