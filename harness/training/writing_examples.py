"""Texts shown to a model that writes questions and paraphrases, where the training split has no examples of it."""

_BRIDGE = """\
The Amber Bridge was built by Ida Holm in 1893. It crosses the river Lenn on nine arches, and trams have used it since \
1911."""
_KELP = """\
Kelp is a brown alga of cold seas. Some species grow half a metre a day, and sea otters sleep wrapped in it so that \
they do not drift away."""
_ATLAS = """\
The first edition of the atlas had 53 maps on paper of linen. Its printer, in Antwerp, sold it to merchants, and four \
reprints followed within two years."""
_BRIDGE_REWORDED = """\
In 1893 Ida Holm built a bridge of nine arches over the river Lenn, the Amber Bridge. Trams have crossed it since \
1911."""
_KELP_REWORDED = """\
In cold seas there lives a brown alga called kelp, of which some species become half a metre longer in a day. Sea \
otters wrap themselves in it for sleep and stay where they are."""

DEMONSTRATIONS = (
    (_BRIDGE, "Who built the Amber Bridge?", "Ida Holm"),
    (_KELP, "What keeps sea otters from drifting away while they sleep?", "Kelp"),
    (_ATLAS, "How many maps did the first edition of the atlas have?", "53"),
)
"""(text, question, answer)."""
REWORDED = ((_BRIDGE, _BRIDGE_REWORDED), (_KELP, _KELP_REWORDED))
"""(text, the same in other words)."""
