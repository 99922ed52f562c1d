task = dict(type="drawn", family="textures", image_size=32)
