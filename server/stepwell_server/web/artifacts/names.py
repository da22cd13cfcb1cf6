"""Names of artifacts in addresses: they may have several lines, where Starlette's own `path` ends."""

from starlette.convertors import Convertor, register_url_convertor

# As in "/files/{name:any_text}": the rest of an address, whatever it is.
ANY_TEXT = "any_text"


class AnyText(Convertor[str]):
    """Takes any text as it is."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        """Return it as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Return it as it is."""
        return value


register_url_convertor(ANY_TEXT, AnyText())
