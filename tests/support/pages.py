"""A page as a browser would read it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser would make of a page: tags with attributes, and the text between."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self._raw = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._raw = tag if tag in ("script", "style") else self._raw

    def handle_endtag(self, tag):
        self._raw = None if tag == self._raw else self._raw

    def handle_data(self, data):
        if self._raw is None:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())
