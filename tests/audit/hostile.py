"""Values that break a line, a cell, a pair or a document somewhere."""

HOSTILE = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    " =1+1",
    "\t=1",
    "\uff1d1+1",
    'quote " and, comma',
    "two\r\nlines\nand\rmore",
    "\x00\x1b[31m\x7f\u2028\u2029\u202e",
    "]]></x><script>alert(1)</script>",
    "{{ 7*7 }} ${7*7} %s %n",
    '","record":{}}\n{"type":"end","records":0}',
    "back\\slash | pipe = equals ] bracket \\",
    "<13>1 2026-01-01T00:00:00Z other idp - - -\nCEF:0|x|y|1|forged|forged|10|",
    " act=forged outcome=permit",
    "\U0001f9ff" * 50,
)
NOT_AS_IT_IS = ("half a pair \ud800", "\udfff\ud800", "ten thousand " * 800, "\u202eright to left", "\x00" * 300)
"""Values that no column holds as they are: they are tamed before they are stored."""
