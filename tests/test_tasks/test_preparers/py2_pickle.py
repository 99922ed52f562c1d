"""Pickles as Python 2 wrote them, which is what the official CIFAR archives hold."""

import io
import pickle
import struct


class _Py2Pickler(pickle._Pickler):
    dispatch = dict(pickle._Pickler.dispatch)

    def _save_str(self, text):
        content = text if isinstance(text, bytes) else text.encode("ascii")
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(text)

    dispatch[str] = _save_str
    dispatch[bytes] = _save_str


def dumps(content):
    stream = io.BytesIO()
    _Py2Pickler(stream, protocol=2).dump(content)
    return stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
