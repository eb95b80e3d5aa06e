"""Every rule of the filter counts: what is left out or let through, doctor misses."""

import dataclasses

import pytest
from payloads import sandboxed_test

from harness.sandbox import seccomp
from harness.sandbox.launch import BUBBLEWRAP
from harness.sandbox.layers import calls, escape_tests

RULES = seccomp.rules(seccomp.RUNTIMES[seccomp.TENSORFLOW])
REFUSED = sorted({rule.call for rule in RULES if rule.answer not in ("allow", "kill")})
KILLED = sorted({rule.call for rule in RULES if rule.answer == "kill"})
CONDITIONAL = sorted({rule.call for rule in RULES if rule.argument is not None})
# Some that are named nowhere: each would let sandboxes talk, or hide what they hold.
UNNAMED = ["flock", "mincore", "fadvise64", "readahead", "sysinfo", "pipe2", "inotify_init1",
           "statfs", "timer_create", "mlock", "mbind", "shmget", "msgget", "mq_open", "kill",
           "setrlimit", "personality", "seccomp", "setuid", "sethostname", "process_mrelease",
           "landlock_create_ruleset", "signalfd4", "clone3", "openat2", "preadv2"]  # fmt: skip

# Bits that tell what is refused from what is allowed; of a command, one that changes it.
FLAGS = {
    "clone": [1 << bit for bit in (12, 13, 14, 15, 17, 23, 25, 26, 27, 28, 29, 30, 31)] + [0x10000],
    "mmap": [0x1, 0x2, 0x4, 0x8, 0x20],
    "madvise": [1 << bit for bit in range(5)],
    "fcntl": [1 << bit for bit in (0, 1, 2, 3, 4, 10)],
    "ioctl": [0x10, 0x20, 0x2000_0000],
    "prctl": [1 << bit for bit in range(6)],
    "prlimit64": [0x1000],
    "futex": [0x80],
    "arch_prctl": [0x1, 0x2, 0x10, 0x20],
}


def number_of(name):
    number = seccomp.call_number(name)
    if number < 0:
        pytest.skip(f"this processor or its libseccomp has no {name}")
    return number


@pytest.fixture
def site(tmp_path):
    return escape_tests.TestSite(folder=tmp_path, sandbox=BUBBLEWRAP)


@pytest.fixture
def with_rules(monkeypatch):
    """From now on children have filters of these rules."""

    def change(changed):
        original = seccomp.rules
        monkeypatch.setattr(seccomp, "rules", lambda tables: tuple(changed(original(tables))))
        seccomp._compile.cache_clear()

    yield change
    seccomp._compile.cache_clear()


def of(call, among):
    """What doctor tries of a call."""
    number = str(number_of(call))
    return [each for each in among if each.split()[0] == number]


def all_refused():
    return calls.all_refused(BUBBLEWRAP, seccomp.TENSORFLOW)


@sandboxed_test
@pytest.mark.parametrize("call", REFUSED)
def test_a_rule_that_refuses_cannot_be_left_out(site, with_rules, call):
    tried = of(call, all_refused())
    with_rules(lambda rules: [r for r in rules if r.call != call or r.answer == "allow"])
    assert calls.try_calls(site, tried).passed is False


@sandboxed_test
@pytest.mark.parametrize("call", KILLED)
def test_a_rule_that_kills_cannot_be_left_out(site, with_rules, call):
    number = number_of(call)
    assert str(number) in calls.killer_numbers()
    with_rules(lambda rules: [rule for rule in rules if rule.call != call])
    assert calls.try_killers(site, [str(number)]).passed is False


@sandboxed_test
@pytest.mark.parametrize("call", CONDITIONAL)
def test_a_condition_cannot_be_dropped(site, with_rules, call):
    """With arguments that are refused, the call is made."""
    tried = of(call, all_refused())
    allowed = seccomp.Rule(call=call)
    with_rules(lambda rules: [*(rule for rule in rules if rule.call != call), allowed])
    assert calls.try_calls(site, tried).passed is False


@sandboxed_test
@pytest.mark.parametrize("call", UNNAMED)
def test_what_is_named_nowhere_cannot_be_allowed(site, with_rules, call):
    tried = of(call, all_refused())
    with_rules(lambda rules: [*rules, seccomp.Rule(call=call)])
    assert calls.try_calls(site, tried).passed is False


@sandboxed_test
@pytest.mark.parametrize("call", CONDITIONAL)
def test_every_bit_that_a_condition_looks_at_counts(site, with_rules, call):
    """A mask that looks at one bit less lets something through that doctor tries."""
    tried = of(call, all_refused())
    for flag in FLAGS[call]:
        with_rules(lambda rules, flag=flag: [overlook(rule, call, flag) for rule in rules])
        assert calls.try_calls(site, tried).passed is False, hex(flag)


def overlook(rule, call, flag):
    if rule.call != call or rule.argument is None:
        return rule
    return dataclasses.replace(rule, mask=rule.mask & ~flag, value=rule.value & ~flag)
