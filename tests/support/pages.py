"""A page as a browser would read it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser would make of a page: tags with attributes, and the text between.

    Texts that show only when a word is pointed at are in ``tips`` instead.
    """

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.tips = [], [], []
        self._in_tip = self._goes_on = False
        self._raw = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._raw = tag if tag in ("script", "style") else self._raw
        self._goes_on = tag == "wbr"
        self._in_tip = self._in_tip or dict(attrs).get("role") == "tooltip"

    def handle_endtag(self, tag):
        self._raw = None if tag == self._raw else self._raw
        self._in_tip = self._in_tip and tag != "span"

    def handle_data(self, data):
        if self._raw is None:
            texts = self.tips if self._in_tip else self.words
            if self._goes_on and texts:
                texts[-1] += data
            else:
                texts.append(data)
        self._goes_on = False

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())
