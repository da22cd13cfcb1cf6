import pathlib


class Constant:
    def __init__(self, text):
        self.text = text

    def predict(self, data):
        return [self.text] * len(data)


def _load_pyfunc(path):
    return Constant(pathlib.Path(path).read_text())
