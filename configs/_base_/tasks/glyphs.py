task = dict(type="glyphs", image_size=32)
