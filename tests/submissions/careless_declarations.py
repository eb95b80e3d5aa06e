"""``submission.toml`` as editors, word processors and hurried people write it."""

import codecs

from careless import REQUIRED, careless
from models import write_weights

WORDS = dict(zip(REQUIRED, ("new", "table", "best"), strict=True))
"""Names that tell no X; after a backslash their first letters are escapes of TOML."""


def declaration(before='"nets/', after='.h5"'):
    """Each net with its X, on a line of its own."""
    lines = [f"{before}{WORDS[x]}{after} = {{ drop_points = {x} }}" for x in REQUIRED]
    return "\n".join(["[artifacts]", *lines, ""])


def write(folder, nets, toml, name="submission.toml"):
    """The three nets under names without numbers, and the bytes of a declaration."""
    for x, word in WORDS.items():
        write_weights(folder / "nets" / f"{word}.h5", nets.repaired[x])
    (folder / name).write_bytes(toml if isinstance(toml, bytes) else toml.encode())


@careless()
def a_byte_order_mark(folder, nets):
    write(folder, nets, codecs.BOM_UTF8 + declaration().encode())


@careless(says="nets/final.h5: taken for X = 4, the only one without a file")
def a_file_renamed_after_it_was_declared(folder, nets):
    write(folder, nets, declaration())
    (folder / "nets" / f"{WORDS[4]}.h5").rename(folder / "nets" / "final.h5")


@careless(says="nets/spare.h5: left aside: submission.toml does not name it")
def a_net_too_many_beside_a_declaration(folder, nets):
    write(folder, nets, declaration())
    write_weights(folder / "nets" / "spare.h5", nets.repaired[10])


@careless()
def utf_16_with_windows_line_ends(folder, nets):
    write(folder, nets, declaration().replace("\n", "\r\n").encode("utf-16"))


@careless()
def utf_16_big_endian(folder, nets):
    write(folder, nets, codecs.BOM_UTF16_BE + declaration().encode("utf-16-be"))


@careless(says=r'line 2: "nets\new.h5" is read with plain backslashes')
def backslashes_that_are_escapes(folder, nets):
    write(folder, nets, declaration('"nets\\'))


@careless()
def backslashes_in_single_quotes(folder, nets):
    write(folder, nets, declaration("'nets\\", ".h5'"))


@careless(says="it is called 'submission.toml.txt'")
def a_suffix_that_windows_hides(folder, nets):
    write(folder, nets, declaration(), "submission.toml.txt")


@careless(says="did you mean 'artifacts'?")
def artifacts_in_british_english(folder, nets):
    nets.write_trio(folder)
    (folder / "submission.toml").write_text('[artefacts]\n"model_2.h5" = { drop_points = 10 }\n')


@careless(says="did you mean 'drop_points'?")
def a_drop_point(folder, nets):
    nets.write_trio(folder)
    (folder / "submission.toml").write_text(
        '[artifacts]\n"model_2.h5" = { drop_point = 2, drop_points = 2 }\n'
        '"model_4.h5" = { drop_points = 4 }\n"model_10.h5" = { drop_points = 10 }\n'
    )


@careless(graded=(), says="it has curly quotes")
def quotes_of_a_word_processor(folder, nets):
    write(folder, nets, declaration("\u201cnets/", ".h5\u201d"))


@careless(graded=(), says="claims must be a list")
def one_claim_as_a_number(folder, nets):
    write(folder, nets, "claims = 5\n" + declaration())


@careless(graded=(), says="drop_points = inf is not a finite number")
def an_infinite_drop(folder, nets):
    write(folder, nets, declaration().replace("= 10", "= inf"))


@careless(graded=(), says="larger than 8 KiB")
def sixty_four_kibibytes_of_dotted_keys(folder, nets):
    write(folder, nets, "a" + ".a" * 32_000 + "=1")
