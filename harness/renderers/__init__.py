"""One pure function from a board to text for each format; hostile names come out harmless."""
