"""Gradebooks and lists of people as learning platforms export them."""

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
BLACKBOARD = """\
"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"Lab 3 [Total Pts: 10 Score] |123"
"Doe"\t"Jane"\t"jdoe"\t"00900"\t""
"Lee"\t"Ann"\t"j_doe"\t"00901"\t""
"""
MOODLE = """\
First name,Surname,ID number,Institution,Email address,Assignment: Lab 3 (Real)
Jane,Doe,900,,jane@uni.example,-
Zoë,"Van, Dyk",901,,zoe@uni.example,-
"""
GRADESCOPE = """\
---
submission_11:
  :submitters:
  - :name: 'Doe, Jane: "Jo" #1'
    :sid: '0012345'
    :email: jane@uni.example
  - :name: Bob Lee
    :sid: 0099
    :email: bob@uni.example
  :created_at: 2026-11-24 10:27:00.123456789 -05:00
  :score: 0.0
  :results: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
    tests:
    - output: "!!python/object/apply:os.system ['false']"
submission_12:
  :submitters:
  - :name: Zoë Ó
    :sid:
    :email: zoe@uni.example
  :created_at: 2026-11-25 10:27:00 Z
"""
"""A team and one person, with a tag of Ruby as Gradescope's autograder results have it."""
