"""Gradebooks as Canvas and Brightspace export them."""

CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Lab 3 (77)
,,,,,Manual Posting
    Points Possible,,,,,10
"Doe, Jane",12,S12,jdoe,A and B,
"Lee, Ann",34,S34,ann,A,
"Lee, Ann-Marie",56,S56,ann-lee,A,
"""
BRIGHTSPACE = """\
OrgDefinedId,Username,Last Name,First Name,Lab 3 Points Grade,End-of-Line Indicator
#900,#jdoe,Doe,Jane,,#
#901,#mm,Müller,Max,,#
"""
