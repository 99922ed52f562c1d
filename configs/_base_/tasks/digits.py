task = dict(type="digits", image_size=32)
